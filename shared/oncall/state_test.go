package oncall

import (
	"slices"
	"testing"
	"time"
)

// An escalation that could not be published is not made up for once somebody has the page,
// or it is over.
func TestNoLateEscalation(t *testing.T) {
	for name, end := range map[string]func(w *world) []byte{
		"acknowledged": func(*world) []byte { return ackOf("persist-p1", "ada") },
		"over":         func(w *world) []byte { return w.set(persistP1, OK) },
	} {
		w := newWorld(t)
		w.handle(t, w.set(persistP1, InAlarm))
		w.want(t, "page-p1 opened")
		w.clock = start.Add(15 * time.Minute)
		w.topics.fail = func(string) error { return errDown }
		if _, err := w.Handle(t.Context(), []byte(tick)); err == nil {
			t.Fatal("no error")
		}
		w.topics.fail = nil
		w.clock = w.clock.Add(time.Second)
		w.handle(t, end(w))
		w.clock = w.clock.Add(time.Minute)
		w.handle(t, []byte(tick))
		for _, p := range w.take() {
			if p.program.Millrace.Kind == string(Escalated) {
				t.Errorf("%s, and yet: %s", name, p.subject)
			}
		}
	}
}

// The ticks were away for an hour: everybody who is due is paged at once, and what fails
// for one of them is repeated for that one alone.
func TestOverdueForLong(t *testing.T) {
	w := newWorld(t)
	w.handle(t, w.set(persistP1, InAlarm))
	w.want(t, "page-p1 opened")
	w.clock = start.Add(time.Hour)
	n := 0
	w.topics.fail = func(string) error {
		if n++; n == 2 {
			return errDown
		}
		return nil
	}
	if _, err := w.Handle(t.Context(), []byte(tick)); err == nil {
		t.Fatal("no error")
	}
	w.want(t, "page-secondary escalated")
	w.clock = w.clock.Add(time.Minute)
	w.handle(t, []byte(tick))
	w.want(t, "page-engineering escalated repeated")
}

// armed is a state whose pages go out.
func armed() State { return State{Begun: start.Add(-time.Hour), Armed: start.Add(-time.Hour)} }

// okAt: the alarm "a" has been OK since then, with nothing behind it.
func okAt(since time.Time) []Sight {
	return []Sight{{Alarm: Alarm{Name: "a", State: OK, Since: since}, Behind: &Behind{}}}
}

// What CloudWatch says of the time before the page resolves nothing.
func TestReconcileWithOldNews(t *testing.T) {
	s := armed()
	s.Apply(StateChange{Alarm: "a", State: InAlarm, At: start}, "P1", Behind{}, start)
	s.Reconcile(okAt(start.Add(-time.Minute)), start)
	if len(s.Open()) != 1 {
		t.Error("an OK of before the page ended it")
	}
	s.Reconcile(okAt(start.Add(time.Minute)), start.Add(time.Minute))
	if len(s.Open()) != 0 {
		t.Error("still open")
	}
}

// Two faults, whose four messages come in the worst order.
func TestOverlappingDeliveries(t *testing.T) {
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Minute) }
	changes := []StateChange{
		{Alarm: "a", State: InAlarm, At: at(0)}, {Alarm: "a", State: OK, At: at(1)},
		{Alarm: "a", State: InAlarm, At: at(2)}, {Alarm: "a", State: OK, At: at(3)},
	}
	permute(changes, func(order []StateChange) {
		s := armed()
		opened := map[string]bool{}
		for _, c := range order {
			s.Apply(c, "P1", Behind{}, at(4))
			for _, d := range s.Claim(at(4)) {
				opened[d.Page.ID] = opened[d.Page.ID] || d.Notice.Kind == Opened
			}
		}
		if open := s.Open(); len(open) > 0 {
			t.Errorf("%v leaves %+v open", order, open)
		}
		if !opened[PageID("a", at(2))] {
			t.Errorf("%v: the last fault was not paged", order)
		}
	})
}

func permute[T any](list []T, f func([]T)) {
	if len(list) == 0 {
		f(nil)
	}
	for i := range list {
		rest := slices.Delete(slices.Clone(list), i, i+1)
		permute(rest, func(tail []T) { f(append([]T{list[i]}, tail...)) })
	}
}

// A closed page is remembered for as long as its messages may come again, and no longer.
func TestForget(t *testing.T) {
	s := armed()
	s.Apply(StateChange{Alarm: "a", State: InAlarm, At: start}, "P1", Behind{}, start)
	s.Published(s.Claim(start), start)
	s.Apply(StateChange{Alarm: "a", State: OK, At: start.Add(time.Minute)}, "P1", Behind{}, start.Add(time.Minute))
	s.Published(s.Claim(start.Add(time.Minute)), start.Add(7*time.Hour))
	if len(s.Pages) != 0 || s.Closed["a"].Opened != start {
		t.Errorf("%+v", s)
	}
	s.Apply(StateChange{Alarm: "b", State: OK, At: start.Add(48 * time.Hour)}, "P1", Behind{}, start.Add(48*time.Hour))
	if _, ok := s.Closed["a"]; ok || len(s.Closed) != 1 {
		t.Errorf("%+v", s.Closed)
	}
}

func TestOpenOrder(t *testing.T) {
	s := armed()
	for i, name := range []string{"P3 b", "P1 b", "P1 a", "P2 a"} {
		s.Apply(StateChange{Alarm: name, State: InAlarm, At: start.Add(-time.Duration(i) * time.Minute)}, name[:2], Behind{}, start)
	}
	var got []string
	for _, p := range s.Open() {
		got = append(got, p.Alarm)
	}
	if want := []string{"P1 a", "P1 b", "P2 a", "P3 b"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
