package oncall

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// deliver messages to on-call.
func (w *world) deliver(t *testing.T, messages [][]byte) {
	t.Helper()
	for _, m := range messages {
		w.handle(t, m)
	}
}

// ticks lets minutes pass, with a tick in each.
func (w *world) ticks(t *testing.T, minutes int) {
	t.Helper()
	for range minutes {
		w.clock = w.clock.Add(time.Minute)
		w.handle(t, []byte(tick))
	}
}

func (w *world) pages(t *testing.T) Answer {
	t.Helper()
	return w.handle(t, []byte(`{"pages":true}`))
}

// A deployment that becomes whole pages nobody until then, and from then on at once.
func TestFirstDeployment(t *testing.T) {
	w := newDeployment(t)
	s := newSite(w)
	if a := w.pages(t); a.PagesFrom == nil || !a.PagesFrom.Equal(start.Add(armAfter)) {
		t.Errorf("before on-call ran: %+v", a)
	}
	on := s.flip(persistP1, "always")
	w.deliver(t, on)
	w.ticks(t, 29)
	a := w.pages(t)
	const why = "this deployment has not been whole yet; it pages from 03:45 UTC on, or as soon as all alarms were OK once"
	if len(a.Pages) != 1 || !a.Pages[0].Held || a.Pages[0].Why != why || a.Pages[0].Next != nil || !a.PagesFrom.Equal(start.Add(30*time.Minute)) {
		t.Errorf("%+v", a)
	}
	w.clock = w.clock.Add(time.Second)
	w.deliver(t, s.flip(persistP1, "always"))
	w.deliver(t, on) // SNS may deliver twice
	if a := w.pages(t); len(a.Pages) != 0 || a.PagesFrom == nil {
		t.Errorf("its alarm is OK: %+v", a)
	}
	w.clock = w.clock.Add(time.Second)
	w.handle(t, []byte(tick))
	w.want(t, "")
	if a := w.pages(t); a.PagesFrom != nil {
		t.Errorf("all is well, and it is not armed: %+v", a)
	}
	w.clock = w.clock.Add(time.Second)
	w.deliver(t, s.flip(persistP1, "always"))
	w.want(t, "page-p1 opened")
}

// What is still wrong after half an hour pages, and response times count from there. A
// message does as well as a tick.
func TestHeldPagesGoOut(t *testing.T) {
	for _, ticks := range []bool{true, false} {
		w := newDeployment(t)
		s := newSite(w)
		w.deliver(t, s.flip(persistP1, "always"))
		w.clock = start.Add(armAfter - time.Second)
		w.handle(t, []byte(tick))
		w.want(t, "")
		s.flip(persistP1, "muted") // no change of the pager
		w.clock = start.Add(armAfter)
		want := "page-p1 opened"
		if ticks {
			w.handle(t, []byte(tick))
		} else {
			w.deliver(t, s.flip("millrace-prod-ingest-p1", "always"))
			want += ", page-p1 opened"
		}
		p := w.want(t, want)[0]
		if !strings.Contains(p.email, "Since 2026-11-24 03:15:00 UTC.\n") || !strings.Contains(p.email, "by 2026-11-24 04:00:00 UTC, it goes to secondary") {
			t.Error(p.email)
		}
		if ticks != strings.Contains(p.email, child(persistP1, "muted")[len("millrace-prod-"):]) {
			t.Errorf("a tick reads what is behind the page when it goes out: %s", p.email)
		}
		w.ticks(t, 14)
		w.want(t, "")
		w.ticks(t, 1)
		if sent := w.take(); len(sent) == 0 || sent[0].topic != spec.SecondaryTopic {
			t.Errorf("%+v", sent)
		}
	}
}

// A page that nobody knows of is not muted: with its alarm it is gone.
func TestHeldAndMuted(t *testing.T) {
	w := newDeployment(t)
	s := newSite(w)
	w.deliver(t, s.flip(persistP1, "muted"))
	w.clock = w.clock.Add(time.Second)
	w.deliver(t, s.deploy())
	if open := w.pages(t).Pages; len(open) != 0 {
		t.Errorf("%+v", open)
	}
	w.ticks(t, 1) // all pagers are OK
	w.deliver(t, s.deploy())
	w.want(t, "page-p1 opened")
}

// A held page that somebody has taken goes out with that, and to nobody else.
func TestHeldAndAcknowledged(t *testing.T) {
	w := newDeployment(t)
	s := newSite(w)
	w.deliver(t, s.flip(persistP1, "always"))
	if a := w.handle(t, ackOf("persist-p1", "ada")); len(a.Pages) != 1 || a.Pages[0].Acked == nil || !a.Pages[0].Held || a.Pages[0].Why == "" {
		t.Errorf("%+v", a)
	}
	w.ticks(t, 30)
	if p := w.want(t, "page-p1 opened")[0]; !strings.Contains(p.email, "ada has it since 2026-11-24 03:15:00 UTC.\n") {
		t.Error(p.email)
	}
	w.ticks(t, 60)
	w.want(t, "")
}

// What is not known to be whole is not.
func TestWhole(t *testing.T) {
	silent := spec.AlarmName("prod", spec.Persist, "store-unreachable")
	for name, c := range map[string]struct {
		spoil func(w *world, s *site)
		whole bool
	}{
		"whole":                      {func(*world, *site) {}, true},
		"not all pagers are made":    {func(w *world, _ *site) { delete(w.alarms.all, onCallP1) }, false},
		"one is in ALARM":            {func(_ *world, s *site) { s.flip(persistP1, "always") }, false},
		"on-call's own is":           {func(w *world, _ *site) { w.set(onCallP1, InAlarm) }, false},
		"one is not judged yet":      {func(w *world, _ *site) { w.set(persistP1, insufficientData) }, false},
		"silence is not judged yet":  {func(w *world, _ *site) { w.set(silent, insufficientData) }, false},
		"silence is judged":          {func(w *world, _ *site) { w.set(silent, OK) }, true},
		"something else fails":       {func(w *world, _ *site) { w.handle(t, w.set("somebody's alarm", InAlarm)) }, true},
		"CloudWatch does not answer": {func(w *world, _ *site) { w.alarms.err = errDown }, false},
		"CloudWatch answers once": {func(w *world, _ *site) {
			n := 0
			w.alarms.fail = func() error {
				if n++; n == 2 {
					return errDown
				}
				return nil
			}
		}, false},
	} {
		w := newDeployment(t)
		c.spoil(w, newSite(w))
		w.handle(t, []byte(tick))
		if got := !w.state(t).Armed.IsZero(); got != c.whole {
			t.Errorf("%s: armed: %v", name, got)
		}
		w.clock = start.Add(armAfter)
		w.handle(t, []byte(tick))
		if w.state(t).Armed.IsZero() {
			t.Errorf("%s: not armed after %v", name, armAfter)
		}
	}
	if table := NewTable("prod"); !slices.Contains(table.silent, silent) || slices.Contains(table.silent, spec.AlarmName("prod", spec.Persist, "dlq-age")) {
		t.Errorf("silence is the failure of %v", table.silent)
	}
}

// An object of a version that knew nothing of this: what it has goes on, what is new waits.
func TestStateOfBefore(t *testing.T) {
	w := newDeployment(t)
	s := newSite(w)
	messages := append(s.flip(persistP1, "always"), s.flip("millrace-prod-ingest-p1", "always")...)
	w.saveBytes(t, []byte(`{"pages":[{"id":"millrace-prod-persist-p1@20261124T031500.000Z","alarm":"millrace-prod-persist-p1","severity":"P1",`+
		`"opened":"2026-11-24T03:15:00Z","paged":"2026-11-24T03:15:00Z","level":0}]}`))
	w.deliver(t, messages)
	w.ticks(t, 15)
	w.want(t, "page-secondary escalated")
	if open := w.pages(t).Pages; len(open) != 2 || !open[1].Held && !open[0].Held || open[0].Held && open[1].Held {
		t.Errorf("%+v", open)
	}
	w.ticks(t, 15)
	w.want(t, "page-engineering escalated, page-p1 opened")
}
