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

// history is a random one of alarms, deliveries, people and failures, and what must hold
// whatever it is.
type history struct {
	*world
	t       *rapid.T
	late    [][]byte // messages that SNS has not delivered for good
	acked   map[string]time.Time
	opened  map[string]bool      // pages of which "opened" went out
	reached map[string]time.Time // page → when it was at engineering
	plain   map[string]int       // publications not marked as repeated
	failing bool
}

var historyAlarms = []string{persistP1, "millrace-prod-ingest-p1", "millrace-prod-process-p2", "millrace-prod-ingest-p4"}

// TestHistories: whatever happens, in whatever order and however often SNS delivers, and
// whichever calls fail,
//   - an alarm has at most one open page;
//   - a page that is acknowledged is not escalated;
//   - a publication that may be a second one says so;
//   - once nothing fails any more, every change has been published, and every page that
//     nobody has acknowledged is with the last of its chain within as many response times
//     as the chain is long, and a minute.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{
			world: newWorld(t), t: rt, acked: map[string]time.Time{}, opened: map[string]bool{}, reached: map[string]time.Time{}, plain: map[string]int{},
		}
		h.inject()
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			h.step()
			h.check()
		}
		h.failing = false
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
	h.open.save = func() (bool, error) {
		if fails("save") {
			return false, errDown
		}
		return !fails("conflict"), nil
	}
}

func (h *history) step() {
	h.failing = rapid.Bool().Draw(h.t, "failing")
	switch rapid.SampledFrom([]string{"alarm", "deliver", "deliver", "tick", "tick", "ack", "restart"}).Draw(h.t, "step") {
	case "alarm":
		h.clock = h.clock.Add(time.Duration(rapid.IntRange(1, 5000).Draw(h.t, "ms")) * time.Millisecond)
		alarm := rapid.SampledFrom(historyAlarms).Draw(h.t, "alarm")
		state := InAlarm
		if h.alarms.all[alarm].State == InAlarm {
			state = OK
		}
		h.late = append(h.late, h.set(alarm, state))
	case "deliver":
		h.deliver(rapid.IntRange(0, len(h.late)).Draw(h.t, "messages"))
	case "tick":
		h.clock = h.clock.Add(time.Duration(rapid.SampledFrom([]int{1, 1, 7, 15}).Draw(h.t, "minutes")) * time.Minute)
		h.invoke([]byte(tick))
	case "ack":
		name := rapid.SampledFrom(historyAlarms).Draw(h.t, "ack")
		if answer := h.invoke(ackOf(name, "ada")); answer != nil {
			h.acked[answer.ID] = h.clock
		}
	case "restart":
		h.restart()
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
		if unkept := strings.Contains(p.email, "could not be written down"); !m.Repeated && !unkept {
			key := fmt.Sprint(m.Page, m.Kind, p.topic)
			if h.plain[key]++; h.plain[key] > 1 {
				h.t.Fatalf("%s came twice, and says nothing of it", key)
			}
		}
	}
}

func (h *history) check() {
	s, _, err := read(context.Background(), h.open)
	if err != nil {
		h.t.Fatal(err)
	}
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
	s, _, err := read(context.Background(), h.open)
	if err != nil {
		h.t.Fatal(err)
	}
	quiet := h.clock
	for h.clock.Before(quiet.Add(2*time.Hour + 2*spec.OnCallEvery)) {
		h.clock = h.clock.Add(spec.OnCallEvery)
		h.invoke([]byte(tick))
	}
	for _, p := range s.Open() {
		h.settled(p, quiet)
	}
	for _, alarm := range historyAlarms {
		h.agrees(alarm)
	}
}

// settled: the page went out, and as far as it should. Ticks are regular from quiet on.
func (h *history) settled(p Page, quiet time.Time) {
	if !h.opened[p.ID] {
		h.t.Fatalf("%s never went out", p.ID)
	}
	s := p.severity()
	if p.Acked != nil || h.alarms.all[p.Alarm].State != InAlarm || len(s.Chain) < 3 {
		return
	}
	limit := p.Paged.Add(time.Duration(len(s.Chain)-1) * s.Respond)
	if limit.Before(quiet) {
		limit = quiet
	}
	if at, ok := h.reached[p.ID]; !ok || at.After(limit.Add(spec.OnCallEvery)) {
		h.t.Fatalf("%s was paged at %v and reached engineering at %v (%v), not by %v", p.ID, p.Paged, at, ok, limit)
	}
}

// agrees: an alarm has an open page exactly when it is in ALARM.
func (h *history) agrees(alarm string) {
	s, _, err := read(context.Background(), h.open)
	if err != nil {
		h.t.Fatal(err)
	}
	if p, on := s.openPage(alarm), h.alarms.all[alarm].State == InAlarm; (p != nil) != on {
		h.t.Fatalf("%s is in ALARM: %v, and its open page is %+v", alarm, on, p)
	}
	for _, p := range s.Pages {
		if len(p.Notices) > 0 {
			h.t.Fatalf("never published: %+v", p)
		}
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
