package oncall

import (
	"strings"
	"testing"
	"time"
)

// A message that is lost is no page that is lost; that it comes after all is no second one.
func TestLostMessage(t *testing.T) {
	for name, late := range map[string]time.Duration{"the same time": 0, "a little later": time.Millisecond, "a little earlier": -time.Millisecond} {
		w := newWorld(t)
		s := newSite(w)
		lost := s.flip(persistP1, "always")
		a := w.alarms.all[persistP1]
		a.Since = a.Since.Add(-late)
		w.alarms.all[persistP1] = a
		w.clock = a.Since.Add(messageLate)
		w.handle(t, []byte(tick))
		w.want(t, "")
		w.clock = w.clock.Add(time.Millisecond)
		w.handle(t, []byte(tick))
		p := w.want(t, "page-p1 opened")[0]
		if !strings.Contains(p.email, "CloudWatch's message of it did not arrive") || !strings.Contains(p.email, "persist-p1-always") ||
			p.program.AlarmRule == "" || p.program.OldStateValue != OK || p.program.StateChangeTime != formatTime(a.Since) {
			t.Errorf("%s: %s %+v", name, p.email, p.program)
		}
		w.deliver(t, lost)
		if open := w.pages(t).Pages; len(open) != 1 || late >= 0 && open[0].Found {
			t.Errorf("%s: %+v", name, open)
		}
		w.ticks(t, 10)
		w.want(t, "")
		w.deliver(t, s.flip(persistP1, "always"))
		w.want(t, "page-p1 resolved")
		w.deliver(t, lost)
		w.ticks(t, 10)
		w.want(t, "")
	}
}

// The same when it comes only after the end.
func TestLostMessageAfterTheEnd(t *testing.T) {
	w := newWorld(t)
	s := newSite(w)
	lost := s.flip(persistP1, "always")
	a := w.alarms.all[persistP1]
	a.Since = a.Since.Add(-time.Millisecond)
	w.alarms.all[persistP1] = a
	w.ticks(t, 3)
	w.deliver(t, s.flip(persistP1, "always"))
	w.want(t, "page-p1 opened, page-p1 resolved")
	w.deliver(t, lost)
	w.want(t, "")

	w.clock = w.clock.Add(time.Second)
	w.deliver(t, s.flip(persistP1, "always"))
	w.want(t, "page-p1 opened")
}

// found is a state with a page of the alarm "a", which went off at start and was found five
// minutes later.
func found() *State {
	s := armed()
	s.Find([]Sight{{Alarm: Alarm{Name: "a", State: InAlarm, Since: start}, Severity: "P1"}}, start.Add(5*time.Minute))
	return &s
}

// Messages of around the time at which a page was found.
func TestTransitionsAroundAFind(t *testing.T) {
	at := func(minute int, state string) StateChange {
		return StateChange{Alarm: "a", State: state, At: start.Add(time.Duration(minute) * time.Minute), Message: []byte("{}")}
	}
	for name, c := range map[string]struct {
		changes []StateChange
		open    string // page id
		found   bool
	}{
		"its own":                         {[]StateChange{at(0, InAlarm)}, PageID("a", start), false},
		"of an earlier fault":             {[]StateChange{at(-1, InAlarm)}, PageID("a", start), true},
		"of a later one":                  {[]StateChange{at(6, InAlarm)}, PageID("a", start.Add(6*time.Minute)), false},
		"an OK before the one that it is": {[]StateChange{at(4, InAlarm), at(3, OK)}, PageID("a", start), false},
		"an OK by a clock that is behind": {[]StateChange{at(4, OK)}, "", false},
		"and the next fault":              {[]StateChange{at(3, OK), at(4, InAlarm)}, PageID("a", start.Add(4*time.Minute)), false},
	} {
		s := found()
		for _, change := range c.changes {
			s.Apply(change, "P1", Behind{}, start.Add(7*time.Minute))
			s.Published(s.Claim(start.Add(7*time.Minute)), start.Add(7*time.Minute))
		}
		open := s.Open()
		if c.open == "" != (len(open) == 0) || len(open) > 0 && (len(open) > 1 || open[0].ID != c.open || open[0].Found != c.found) {
			t.Errorf("%s: %+v", name, open)
		}
	}
}

// It was lost that the alarm went off, and while a tick looks the message comes that it is
// over: nobody is woken for that.
func TestOverWhileATickLooks(t *testing.T) {
	w := newWorld(t)
	s := newSite(w)
	s.flip(persistP1, "always")
	w.clock = start.Add(3 * time.Minute)
	s.flip("millrace-prod-process-p2", "always")
	w.alarms.all["millrace-prod-process-p2"] = withSince(w.alarms.all["millrace-prod-process-p2"], start)
	w.meanwhile(func() {
		w.clock = w.clock.Add(time.Second)
		w.deliver(t, s.flip(persistP1, "always"))
	})
	w.handle(t, []byte(tick))
	w.want(t, "page-p2 opened")
	w.ticks(t, 2)
	w.want(t, "")
}

func withSince(a Alarm, at time.Time) Alarm {
	a.Since = at
	return a
}

// A page that was found is published once more if that is not known to have happened.
func TestFoundPageSurvivesACrash(t *testing.T) {
	w := newWorld(t)
	s := newSite(w)
	lost := s.flip(persistP1, "always")
	w.clock = start.Add(3 * time.Minute)
	w.topics.fail = func(string) error { return errDown }
	if _, err := w.Handle(t.Context(), []byte(tick)); err == nil {
		t.Fatal("no error")
	}
	w.restart()
	w.topics.fail = nil
	w.clock = w.clock.Add(time.Minute)
	w.deliver(t, lost)
	if p := w.want(t, "page-p1 opened repeated")[0]; strings.Contains(p.email, "did not arrive") {
		t.Errorf("it has arrived: %s", p.email)
	}
}

// The pages of a deployment that is not whole are found, and held.
func TestFoundAndHeld(t *testing.T) {
	w := newDeployment(t)
	newSite(w).flip(persistP1, "always")
	w.ticks(t, 10)
	if open := w.pages(t).Pages; len(open) != 1 || !open[0].Held {
		t.Errorf("%+v", open)
	}
	w.ticks(t, 20)
	w.want(t, "")
	w.ticks(t, 1)
	w.want(t, "page-p1 opened")
}

// CloudWatch pages for on-call itself: a second page of that would be one too many.
func TestOwnAlarmsAreNotFound(t *testing.T) {
	w := newWorld(t)
	newSite(w)
	w.set(onCallP1, InAlarm)
	w.ticks(t, 10)
	w.want(t, "")
}

// meanwhile does something between a tick's look at CloudWatch and its writing.
func (w *world) meanwhile(do func()) {
	w.open.save = func() (bool, error) {
		w.open.save = nil
		do()
		return true, nil
	}
}

// While a tick looks, the alarm becomes OK, and another goes off: what it saw is old.
func TestWhileATickLooks(t *testing.T) {
	const ingestP1, processP2 = "millrace-prod-ingest-p1", "millrace-prod-process-p2"
	w := newWorld(t)
	s := newSite(w)
	on := s.flip(persistP1, "always")
	s.flip(processP2, "always") // its message is lost: the tick has something to write
	w.clock = start.Add(3 * time.Minute)
	w.meanwhile(func() {
		w.clock = w.clock.Add(time.Second)
		w.deliver(t, on)
		w.deliver(t, s.flip(persistP1, "always"))
		w.deliver(t, s.flip(ingestP1, "always"))
		w.handle(t, change("somebody's alarm", InAlarm, OK, "", w.clock)) // not among those that it asked for
	})
	w.handle(t, []byte(tick))
	w.want(t, "page-p1 opened, page-p1 resolved, page-p1 opened, page-p1 opened, page-p2 opened")
	if open := w.pages(t).Pages; len(open) != 3 {
		t.Errorf("%+v", open)
	}
}
