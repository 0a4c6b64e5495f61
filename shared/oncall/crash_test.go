package oncall

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// The publication failed: Lambda's retry of the invocation makes up for it, and if that
// never comes, the tick.
func TestPublishFails(t *testing.T) {
	for _, retry := range []bool{true, false} {
		w := newWorld(t)
		on := w.set(persistP1, InAlarm)
		w.topics.fail = func(string) error { return errDown }
		if _, err := w.Handle(t.Context(), on); !errors.Is(err, errDown) {
			t.Fatalf("%v: Lambda does not retry it", err)
		}
		w.restart()
		w.topics.fail = nil
		w.clock = w.clock.Add(claimFor - time.Second)
		w.handle(t, []byte(tick)) // whoever claimed it may still be at it
		w.want(t, "")
		w.clock = w.clock.Add(time.Second)
		if retry {
			w.handle(t, on)
		} else {
			w.handle(t, []byte(tick))
		}
		w.want(t, "page-p1 opened repeated")
		w.clock = w.clock.Add(time.Minute)
		w.handle(t, []byte(tick))
		w.want(t, "")
	}
}

// A crash after the publication and before it was noted: it is repeated, and says so.
func TestCrashAfterPublishing(t *testing.T) {
	w := newWorld(t)
	on := w.set(persistP1, InAlarm)
	saves := 0
	w.open.save = func() (bool, error) {
		if saves++; saves == 2 {
			return false, errDown
		}
		return true, nil
	}
	if _, err := w.Handle(t.Context(), on); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	w.want(t, "page-p1 opened")
	w.restart()
	w.clock = w.clock.Add(time.Minute)
	w.handle(t, on)
	if p := w.want(t, "page-p1 opened repeated")[0]; !strings.Contains(p.email, "You may have had this page before") {
		t.Error(p.email)
	}
	if n := len(w.state(t).Pages); n != 1 {
		t.Errorf("%d pages", n)
	}
}

// The bucket does not answer: whoever is on call hears of the alarm all the same.
func TestPagesCannotBeKept(t *testing.T) {
	fail := map[string]func(*world){
		"load":       func(w *world) { w.open.load = func() error { return errDown } },
		"save":       func(w *world) { w.open.save = func() (bool, error) { return false, errDown } },
		"conflict":   func(w *world) { w.open.save = func() (bool, error) { return false, nil } },
		"unreadable": func(w *world) { w.saveBytes(t, []byte("{")) },
	}
	for name, f := range fail {
		w := newWorld(t)
		f(w)
		if _, err := w.Handle(t.Context(), w.set(persistP1, InAlarm)); err == nil {
			t.Errorf("%s: no error, so Lambda does not retry it", name)
		}
		p := w.want(t, "page-p1 opened")[0]
		if !strings.Contains(p.email, "This page could not be written down: it may come again, and nobody else is paged.") {
			t.Errorf("%s: %s", name, p.email)
		}
		if name != "unreadable" {
			w.open.load, w.open.save = nil, nil
			w.handle(t, w.set(persistP1, InAlarm))
			w.want(t, "page-p1 opened")
		}
		if _, err := w.Handle(t.Context(), []byte(tick)); (err != nil) != (name == "unreadable") {
			t.Errorf("%s: tick: %v", name, err)
		}
	}
}

// While one invocation works, others change the pages.
func TestConcurrentInvocations(t *testing.T) {
	w := newWorld(t)
	once := true
	w.open.save = func() (bool, error) {
		if once {
			once = false
			w.handle(t, w.set("millrace-prod-ingest-p1", InAlarm))
		}
		return true, nil
	}
	w.handle(t, w.set(persistP1, InAlarm))
	w.want(t, "page-p1 opened, page-p1 opened")
	if open := w.handle(t, []byte(`{"pages":true}`)).Pages; len(open) != 2 {
		t.Errorf("%+v", open)
	}

	// Somebody acknowledges while the tick escalates: the tick sees it in time.
	once = true
	w.clock = start.Add(15 * time.Minute)
	w.open.save = func() (bool, error) {
		if once {
			once = false
			w.handle(t, ackOf("persist-p1", "ada"))
		}
		return true, nil
	}
	w.handle(t, []byte(tick))
	if sent := w.want(t, "page-secondary escalated"); sent[0].program.AlarmName != "millrace-prod-ingest-p1" {
		t.Errorf("%+v", sent)
	}
}

// An acknowledgement counts even when the others cannot be told at once.
func TestAcknowledgementIsToldLater(t *testing.T) {
	w := newWorld(t)
	w.handle(t, w.set(persistP1, InAlarm))
	w.clock = start.Add(15 * time.Minute)
	w.handle(t, []byte(tick))
	w.take()
	w.topics.fail = func(string) error { return errDown }
	w.handle(t, ackOf("persist-p1", "ada"))
	w.topics.fail = nil
	w.clock = w.clock.Add(time.Minute)
	w.handle(t, []byte(tick))
	w.want(t, "page-secondary acknowledged repeated")
}

// A crash between arming and publishing: what was held goes out with the next tick. One
// before it is written down arms the deployment then.
func TestCrashWhileArming(t *testing.T) {
	for name, c := range map[string]struct {
		fail, mend func(w *world)
		want       string
	}{
		"publish": {
			func(w *world) { w.topics.fail = func(string) error { return errDown } },
			func(w *world) { w.topics.fail = nil }, "page-p1 opened repeated",
		},
		"save": {
			func(w *world) { w.open.save = func() (bool, error) { return false, errDown } },
			func(w *world) { w.open.save = nil }, "page-p1 opened",
		},
	} {
		w := newDeployment(t)
		s := newSite(w)
		w.deliver(t, s.flip(persistP1, "always"))
		w.clock = start.Add(armAfter)
		c.fail(w)
		if _, err := w.Handle(t.Context(), []byte(tick)); !errors.Is(err, errDown) {
			t.Errorf("%s: %v", name, err)
		}
		w.want(t, "")
		c.mend(w)
		w.restart()
		w.ticks(t, 1)
		w.want(t, c.want)
	}
}
