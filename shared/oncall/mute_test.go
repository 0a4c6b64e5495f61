package oncall

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// muted is a world with a page of what a deployment mutes, and the deployment, which has
// just begun.
func muted(t *testing.T, before func(w *world)) (*world, *site) {
	t.Helper()
	w := newWorld(t)
	s := newSite(w)
	w.deliver(t, s.flip(persistP1, "muted"))
	w.want(t, "page-p1 opened")
	before(w)
	w.take()
	w.clock = w.clock.Add(time.Minute)
	w.deliver(t, s.deploy())
	w.want(t, "")
	return w, s
}

func nothing(*world) {}

// The page of what a deployment mutes waits for its end, and goes on: whoever had it has it,
// and who had not answered has as long again.
func TestMutedPageGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		before func(w *world)
		then   string // what comes 15 minutes after the end
	}{
		"unanswered":   {nothing, "page-secondary escalated"},
		"escalated":    {func(w *world) { w.ticks(t, 15) }, "page-engineering escalated"},
		"acknowledged": {func(w *world) { w.handle(t, ackOf("persist-p1", "ada")) }, ""},
	} {
		w, s := muted(t, c.before)
		open := w.pages(t).Pages
		if len(open) != 1 || open[0].Why != whyMuted || open[0].Muted.IsZero() || open[0].Next != nil || (open[0].Acked != nil) != (c.then == "") {
			t.Fatalf("%s: %+v", name, open)
		}
		w.ticks(t, 60)
		w.want(t, "")
		w.clock = w.clock.Add(time.Second)
		end := s.deploy()
		w.deliver(t, end)
		w.deliver(t, end) // SNS may deliver twice
		w.ticks(t, 14)
		w.want(t, "")
		again := w.pages(t).Pages
		if len(again) != 1 || again[0].ID != open[0].ID || again[0].Why != "" || again[0].Level != open[0].Level || (again[0].Acked != nil) != (c.then == "") {
			t.Errorf("%s: %+v", name, again)
		}
		if acked := c.then == ""; again[0].Paged.Equal(open[0].Paged) != acked {
			t.Errorf("%s: its response time begins at %v, and it began at %v", name, again[0].Paged, open[0].Paged)
		}
		w.ticks(t, 1)
		w.want(t, c.then)
	}
}

// What is muted ends: no message tells, a tick sees it.
func TestMutedPageEnds(t *testing.T) {
	w, s := muted(t, nothing)
	w.clock = start.Add(9 * time.Minute)
	s.flip(persistP1, "muted")
	w.clock = start.Add(9*time.Minute + 40*time.Second)
	w.handle(t, []byte(tick))
	if p := w.want(t, "page-p1 resolved")[0]; p.program.Millrace.LastedSeconds != 540 {
		t.Errorf("it lasted %v s", p.program.Millrace.LastedSeconds)
	}
	w.deliver(t, s.deploy())
	w.ticks(t, 5)
	w.want(t, "")
}

// CloudWatch does not say what is behind the alarm: the page stays until it does, and
// nobody is told.
func TestMuteIsUnknown(t *testing.T) {
	w := newWorld(t)
	s := newSite(w)
	w.deliver(t, s.flip(persistP1, "muted"))
	w.take()
	w.clock = w.clock.Add(time.Minute)
	off := s.flip(persistP1, "muted")
	w.alarms.err = errDown
	w.deliver(t, off)
	w.ticks(t, 20)
	if open := w.pages(t).Pages; len(open) != 1 || open[0].Muted.IsZero() {
		t.Errorf("%+v", open)
	}
	w.want(t, "")
	w.alarms.err = nil
	w.ticks(t, 1)
	if p := w.want(t, "page-p1 resolved")[0]; p.program.Millrace.LastedSeconds != 60 {
		t.Errorf("it lasted %v s", p.program.Millrace.LastedSeconds)
	}
}

// Another fault in the time of the mute is not the one that was paged.
func TestAnotherFaultIsAnotherPage(t *testing.T) {
	for _, ticks := range []int{0, 1} {
		w, s := muted(t, func(w *world) { w.handle(t, ackOf("persist-p1", "ada")) })
		s.flip(persistP1, "muted2")
		s.flip(persistP1, "muted")
		w.ticks(t, ticks)
		w.clock = w.clock.Add(time.Second)
		w.deliver(t, s.deploy())
		sent := w.take()
		if p := sent[len(sent)-1]; p.program.Millrace.Kind != string(Opened) || !strings.Contains(p.email, "persist-p1-muted2") || len(sent) != 1+ticks {
			t.Errorf("%d ticks: %s", ticks, kinds(sent))
		}
		if open := w.pages(t).Pages; len(open) != 1 || open[0].Acked != nil {
			t.Errorf("%d ticks: %+v", ticks, open)
		}
	}
}

// What the page was about was not known when it was made: it is what is in ALARM when the
// mute begins.
func TestMuteOfUnknownFaults(t *testing.T) {
	w := newWorld(t)
	s := newSite(w)
	w.alarms.err = errDown
	w.deliver(t, s.flip(persistP1, "muted"))
	w.alarms.err = nil
	w.clock = w.clock.Add(time.Minute)
	w.deliver(t, s.deploy())
	s.flip(persistP1, "muted2")
	w.ticks(t, 1)
	w.want(t, "page-p1 opened")
	s.flip(persistP1, "muted")
	w.ticks(t, 1)
	w.want(t, "page-p1 resolved")
}

// While the message of the mute is under way, the alarm goes off for another reason, and
// what was muted ends. The message ends the page, and not the other fault.
func TestMuteIsToldLate(t *testing.T) {
	w := newWorld(t)
	s := newSite(w)
	w.deliver(t, s.flip(persistP1, "muted"))
	w.clock = w.clock.Add(time.Minute)
	mute := s.deploy()
	w.deliver(t, mute)
	w.clock = w.clock.Add(time.Minute)
	s.flip(persistP1, "always") // its message is lost
	w.clock = w.clock.Add(time.Minute)
	s.flip(persistP1, "muted")
	w.deliver(t, mute)
	w.want(t, "page-p1 opened, page-p1 resolved")
	w.ticks(t, 2)
	w.want(t, "page-p1 opened")
}

// again is a state whose page of the alarm "a" is muted since the third minute.
func again() *State {
	s := armed()
	fault := Behind{Faults: []Fault{{Alarm: "b"}}}
	s.Apply(StateChange{Alarm: "a", State: InAlarm, At: start}, "P1", fault, start)
	s.Apply(StateChange{Alarm: "a", State: OK, At: start.Add(3 * time.Minute)}, "P1", fault, start.Add(3*time.Minute))
	return &s
}

// A transition of before the mute does not end it; one of after it does, even if all is well
// again when on-call looks what is behind it.
func TestTransitionsAroundAMute(t *testing.T) {
	for minute, muted := range map[time.Duration]bool{2: true, 4: false} {
		s := again()
		id := s.Open()[0].ID
		at := start.Add(minute * time.Minute)
		s.Apply(StateChange{Alarm: "a", State: InAlarm, At: at}, "P1", Behind{}, start.Add(5*time.Minute))
		if open := s.Open(); len(open) != 1 || open[0].ID != id || open[0].Muted.IsZero() == muted {
			t.Errorf("minute %d: %+v", minute, open)
		}
	}
}

// The message that the mute is over is lost, or late.
func TestEndOfMuteIsLost(t *testing.T) {
	w, s := muted(t, func(w *world) { w.ticks(t, 15) })
	w.clock = w.clock.Add(time.Minute)
	end := s.deploy()
	a := w.alarms.all[persistP1]
	a.Since = a.Since.Add(-time.Millisecond) // it is not exactly the time in the message
	w.alarms.all[persistP1] = a
	w.ticks(t, 1)
	if open := w.pages(t).Pages; len(open) != 1 || open[0].Muted.IsZero() {
		t.Errorf("its message may still come: %+v", open)
	}
	w.ticks(t, 1)
	if open := w.pages(t).Pages; len(open) != 1 || !open[0].Muted.IsZero() || open[0].Found {
		t.Errorf("%+v", open)
	}
	w.deliver(t, end)
	w.ticks(t, 14)
	w.want(t, "")
	w.ticks(t, 1)
	w.want(t, "page-engineering escalated")
}

// What could not be published before the mute is published after it, and not in between.
func TestNoticesWaitForTheEnd(t *testing.T) {
	w := newWorld(t)
	s := newSite(w)
	w.topics.fail = func(string) error { return errDown }
	if _, err := w.Handle(t.Context(), s.flip(persistP1, "muted")[0]); err == nil {
		t.Fatal("no error")
	}
	w.topics.fail = nil
	w.clock = w.clock.Add(time.Second)
	w.deliver(t, s.deploy())
	w.ticks(t, 3)
	w.handle(t, ackOf("persist-p1", "ada"))
	w.want(t, "")
	w.deliver(t, s.deploy())
	w.want(t, "page-p1 opened repeated")
}

// The OK comes before the ALARM: what it tells is known all the same.
func TestMuteComesFirst(t *testing.T) {
	w := newWorld(t)
	s := newSite(w)
	on := s.flip(persistP1, "muted")
	w.clock = w.clock.Add(time.Minute)
	w.deliver(t, s.deploy())
	w.deliver(t, on)
	w.ticks(t, 3)
	w.want(t, "")
	w.deliver(t, s.deploy())
	w.want(t, "page-p1 opened")
}

// TestOneFaultOnePage: messages come in time, and a tick follows each. Then of two pages of
// an alarm, whatever was deployed in between, each fault that the first was about has ended
// before the second; and a pager in ALARM always has a page that went out.
func TestOneFaultOnePage(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		s := newSite(w)
		ended := map[string]bool{} // children that were OK since the page went out
		var page *Page
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			w.clock = w.clock.Add(time.Duration(rapid.IntRange(1, 20).Draw(rt, "minutes")) * time.Minute)
			messages := s.deploy
			if c := rapid.IntRange(0, 3).Draw(rt, "what"); c < len(childNames) {
				messages = func() [][]byte { return s.flip(persistP1, childNames[c]) }
			}
			w.deliver(t, messages())
			for _, c := range childNames {
				ended[child(persistP1, c)] = ended[child(persistP1, c)] || !s.on(child(persistP1, c))
			}
			for _, p := range w.take() {
				if p.program.Millrace.Kind != string(Opened) {
					continue
				}
				if page != nil {
					for _, f := range page.Faults {
						if !ended[f.Alarm] {
							rt.Fatalf("%s goes on, and is paged again", f.Alarm)
						}
					}
				}
				st := w.state(t)
				page = st.openPage(persistP1)
				clear(ended)
			}
			st := w.state(t)
			if p := st.openPage(persistP1); s.on(persistP1) && (page == nil || p == nil || p.ID != page.ID || p.quiet()) {
				rt.Fatal(fmt.Sprintf("in ALARM, and not paged: %+v", p))
			}
			w.handle(t, []byte(tick))
		}
	})
}
