package oncall

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// history is a random one of alarms, deployments, deliveries, people and failures, and what
// must hold whatever it is.
type history struct {
	*world
	t       *rapid.T
	site    *site
	late    [][]byte // messages that SNS has not delivered for good
	acked   map[string]time.Time
	opened  map[string]bool      // pages of which "opened" went out
	reached map[string]time.Time // page → when it was at engineering
	plain   map[string]int       // publications not marked as repeated
	pages   map[string]int       // alarm → those of them that opened a page
	failing bool
}

// TestHistories: whatever happens, in whatever order and however often SNS delivers, if it
// does, and whichever calls fail,
//   - an alarm has at most one open page;
//   - a page that is acknowledged is not escalated;
//   - nothing of a page that is held or muted is published, nor anything before the
//     deployment is armed;
//   - a publication that may be a second one says so, and an alarm that goes off once opens
//     no two pages;
//   - once nothing fails any more, an alarm of an armed deployment that stays in ALARM has a
//     page that is published two ticks after its message counts as lost;
//   - every page that nobody has acknowledged is with the last of its chain within as many
//     response times as the chain is long, and a minute.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{
			world: newDeployment(t), t: rt, acked: map[string]time.Time{}, opened: map[string]bool{}, reached: map[string]time.Time{},
			plain: map[string]int{}, pages: map[string]int{},
		}
		if rapid.Bool().Draw(rt, "armed") {
			h.save(t, armed())
		}
		h.site = newSite(h.world)
		h.site.skew = time.Duration(rapid.IntRange(0, 1).Draw(rt, "skew ms")) * time.Millisecond
		h.inject()
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			h.step()
			h.check()
		}
		h.failing = false
		if rapid.Bool().Draw(rt, "all are lost") {
			h.late = nil
		}
		h.deliver(len(h.late))
		h.settle()
	})
}

// inject makes calls fail now and then, before they did anything or after.
func (h *history) inject() {
	fails := func(what string) bool { return h.failing && rapid.IntRange(0, 4).Draw(h.t, what) == 0 }
	h.topics.fail = func(string) error {
		if fails("publish") {
			return errDown
		}
		return nil
	}
	h.topics.check = h.mayPublish
	h.alarms.fail = func() error {
		if fails("describe") {
			return errDown
		}
		return nil
	}
	h.open.save = func() (bool, error) {
		if fails("save") {
			return false, errDown
		}
		return !fails("conflict"), nil
	}
}

// unkept says whether a publication is of a page that could not be written down: of that
// on-call knows nothing more than the message.
func unkept(p *published) bool { return strings.Contains(p.email, "could not be written down") }

// mayPublish holds a publication against what is written down at that moment.
func (h *history) mayPublish(p published) {
	if unkept(&p) {
		return
	}
	s := h.now()
	if s.Armed.IsZero() {
		h.t.Fatalf("%q is published, and the deployment is not armed", p.subject)
	}
	for _, page := range s.Pages {
		if page.ID == p.program.Millrace.Page && page.quiet() {
			h.t.Fatalf("%q is published, and the page is held (%v) or muted (%v)", p.subject, page.Held, page.Muted)
		}
	}
}

func (h *history) step() {
	h.failing = rapid.Bool().Draw(h.t, "failing")
	switch rapid.SampledFrom([]string{"alarm", "alarm", "deploy", "deliver", "deliver", "tick", "tick", "ack", "restart"}).Draw(h.t, "step") {
	case "alarm":
		h.pause()
		h.change(h.site.flip(rapid.SampledFrom(historyPagers).Draw(h.t, "pager"), rapid.SampledFrom(childNames).Draw(h.t, "child")))
	case "deploy":
		h.pause()
		h.change(h.site.deploy())
	case "deliver":
		h.deliver(rapid.IntRange(0, len(h.late)).Draw(h.t, "messages"))
	case "tick":
		h.clock = h.clock.Add(time.Duration(rapid.SampledFrom([]int{1, 1, 7, 15}).Draw(h.t, "minutes")) * time.Minute)
		h.invoke([]byte(tick))
	case "ack":
		name := rapid.SampledFrom(historyPagers).Draw(h.t, "ack")
		if answer := h.invoke(ackOf(name, "ada")); answer != nil {
			h.acked[answer.ID] = h.clock
		}
	case "restart":
		h.restart()
	}
}

func (h *history) pause() {
	h.clock = h.clock.Add(time.Duration(rapid.IntRange(2, 5000).Draw(h.t, "ms")) * time.Millisecond)
}

// change: CloudWatch tells of pagers that changed their state, or the message is lost.
func (h *history) change(messages [][]byte) {
	for _, m := range messages {
		if rapid.IntRange(0, 4).Draw(h.t, "lost") > 0 {
			h.late = append(h.late, m)
		}
	}
}

// deliver n messages in a random order. One that fails stays, as Lambda retries it; one
// that does not may stay too, as SNS may deliver it twice.
func (h *history) deliver(n int) {
	for range n {
		i := rapid.IntRange(0, len(h.late)-1).Draw(h.t, "which")
		_, err := h.Handle(context.Background(), h.late[i])
		again := h.failing && rapid.IntRange(0, 3).Draw(h.t, "twice") == 0
		if err == nil && !again {
			h.late = append(h.late[:i], h.late[i+1:]...)
		}
		h.watch()
	}
}

// invoke returns the acknowledged page, if it was a request that succeeded.
func (h *history) invoke(payload []byte) *View {
	b, err := h.Handle(context.Background(), payload)
	h.watch()
	if err != nil && !h.failing {
		h.t.Fatalf("nothing fails, and yet: %v", err)
	}
	if err != nil || b == nil {
		return nil
	}
	var a Answer
	if err := json.Unmarshal(b, &a); err != nil {
		h.t.Fatalf("%s: %v", b, err)
	}
	if a.NotFound {
		return nil
	}
	return &a.Pages[0]
}

// watch what went out.
func (h *history) watch() {
	for _, p := range h.take() {
		m := p.program.Millrace
		switch {
		case Kind(m.Kind) == Escalated:
			if at, ok := h.acked[m.Page]; ok {
				h.t.Fatalf("%s is escalated at %v, acknowledged at %v", m.Page, p.at, at)
			}
			if m.To == spec.Engineering {
				h.reached[m.Page] = p.at
			}
		case Kind(m.Kind) == Opened:
			h.opened[m.Page] = true
		}
		if !m.Repeated && !unkept(&p) {
			if Kind(m.Kind) == Opened {
				h.pages[p.program.AlarmName]++
			}
			key := fmt.Sprint(m.Page, m.Kind, p.topic)
			if h.plain[key]++; h.plain[key] > 1 {
				h.t.Fatalf("%s came twice, and says nothing of it", key)
			}
		}
	}
}

// now is what is written down.
func (h *history) now() State {
	s, _, err := read(context.Background(), &h.open.Memory)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h *history) check() {
	s := h.now()
	open := map[string]int{}
	for _, p := range s.Open() {
		if open[p.Alarm]++; open[p.Alarm] > 1 {
			h.t.Fatalf("%d open pages of %s", open[p.Alarm], p.Alarm)
		}
	}
}

// settle lets time pass without failures, and looks at the end.
func (h *history) settle() {
	for len(h.late) > 0 {
		h.deliver(1)
	}
	h.clock = h.clock.Add(messageLate + time.Second)
	quiet := h.clock
	for n := 1; h.clock.Before(quiet.Add(2*time.Hour + armAfter + 2*spec.OnCallEvery)); n++ {
		h.invoke([]byte(tick))
		if n == 2 {
			h.paged()
		}
		h.clock = h.clock.Add(spec.OnCallEvery)
	}
	h.paged()
	s := h.now()
	if s.Armed.IsZero() {
		h.t.Fatal("never armed")
	}
	for _, p := range s.Pages {
		h.settled(p, quiet)
	}
	for alarm, n := range h.pages {
		if n > h.site.times[alarm] {
			h.t.Fatalf("%s went off %d times and opened %d pages", alarm, h.site.times[alarm], n)
		}
	}
}

// paged: each pager in ALARM has an open page that went out, unless the deployment is not
// armed; and no other has a page that is not muted.
func (h *history) paged() {
	s := h.now()
	for _, alarm := range historyPagers {
		p, on := s.openPage(alarm), h.alarms.all[alarm].State == InAlarm
		switch {
		case on && p == nil, on && !p.Muted.IsZero():
			h.t.Fatalf("%s is in ALARM, and its page is %+v", alarm, p)
		case on && !s.Armed.IsZero() && !h.opened[p.ID]:
			h.t.Fatalf("%s never went out", p.ID)
		case !on && p != nil && (p.Muted.IsZero() || !h.site.behind(p)):
			h.t.Fatalf("%s is OK, and its page is %+v", alarm, p)
		}
	}
}

// settled: all of the page went out that should. Ticks are regular from quiet on.
func (h *history) settled(p Page, quiet time.Time) {
	if !p.open() || p.quiet() {
		return
	}
	if len(p.Notices) > 0 {
		h.t.Fatalf("never published: %+v", p)
	}
	s := p.severity()
	if p.Acked != nil || len(s.Chain) < 3 {
		return
	}
	limit := latest(quiet, p.Paged.Add(time.Duration(len(s.Chain)-1-p.From)*s.Respond))
	if at, ok := h.reached[p.ID]; !ok || at.After(limit.Add(spec.OnCallEvery)) {
		h.t.Fatalf("%s was paged at %v and reached engineering at %v (%v), not by %v", p.ID, p.Paged, at, ok, limit)
	}
}

// TestResponseTimes: without failures, a page that is not acknowledged is with the next of
// its chain after its response time and no earlier, at most one tick later.
func TestResponseTimes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		severity := rapid.SampledFrom(spec.Severities[:3]).Draw(rt, "severity")
		alarm := spec.PagerName("prod", spec.Persist, severity.Name)
		w.clock = start.Add(time.Duration(rapid.IntRange(0, 59_999).Draw(rt, "offset ms")) * time.Millisecond)
		paged := w.clock
		w.handle(t, w.set(alarm, InAlarm))
		acked := paged.Add(time.Duration(rapid.IntRange(0, 4*int(severity.Respond/time.Second)).Draw(rt, "acked after s")) * time.Second)
		answered := false
		for at := start.Add(spec.OnCallEvery); at.Before(paged.Add(3 * severity.Respond)); at = at.Add(spec.OnCallEvery) {
			if !answered && at.After(acked) {
				w.clock, answered = acked, true
				w.handle(t, ackOf(alarm, "ada"))
			}
			w.clock = at
			w.handle(t, []byte(tick))
		}
		level := 0
		for _, p := range w.take() {
			if Kind(p.program.Millrace.Kind) != Escalated {
				continue
			}
			level++
			due := paged.Add(time.Duration(level) * severity.Respond)
			if p.at.Before(due) || p.at.After(due.Add(spec.OnCallEvery)) || p.topic != severity.TopicOf(level) {
				rt.Fatalf("paged at %v, level %d on %s at %v, due at %v", paged, level, p.topic, p.at, due)
			}
		}
		// Those who were due a whole tick before the acknowledgement have been paged, and
		// nobody who was due after it.
		most := int(acked.Sub(paged) / severity.Respond)
		sure := int((acked.Sub(paged) - spec.OnCallEvery) / severity.Respond)
		if last := len(severity.Chain) - 1; level < min(sure, last, 2) || level > min(most, last) {
			rt.Fatalf("acknowledged after %v: %d escalations", acked.Sub(paged), level)
		}
	})
}
