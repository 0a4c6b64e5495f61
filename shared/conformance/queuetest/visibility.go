package queuetest

import (
	"time"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

func visibilityComesBack(s *suite) {
	name, q := s.create(queue.Config{})
	s.send(q, text("x"))
	start := time.Now()
	first := s.receiveOne(q, 2*s.o.Tick)
	second := s.receiveOne(q, long)
	s.notBefore("the message came back", start, 2*s.o.Tick)
	if second.ID != first.ID || second.ReceiveCount != 2 {
		s.Errorf("came back as %s, count %d; was %s", second.ID, second.ReceiveCount, first.ID)
	}
	s.wantNone(q)
	s.eventually("one in flight", func() (any, bool) {
		d := s.depth(name)
		return d, d == queue.Depth{InFlight: 1, Oldest: d.Oldest}
	})
}

func visibilityOfQueue(s *suite) {
	_, q := s.create(queue.Config{Visibility: 2 * s.o.Tick})
	s.send(q, text("x"))
	start := time.Now()
	s.receiveOne(q, 0)
	s.receiveOne(q, long)
	s.notBefore("the message came back", start, 2*s.o.Tick)
}

// visibilityExtended repeats itself when the machine was too slow to extend in time.
func visibilityExtended(s *suite) {
	const before, after = 3, 8 // ticks
	_, q := s.create(queue.Config{})
	s.eventually("extended in time", func() (any, bool) {
		s.send(q, text("x"))
		received := time.Now()
		m := s.receiveOne(q, before*s.o.Tick)
		changed := time.Now()
		err := q.ChangeVisibility(s.Context(), m.Receipt, after*s.o.Tick)
		if late := time.Since(received) > before*s.o.Tick; late {
			s.delete(q, m)
			return err, false
		}
		if err != nil {
			s.Fatalf("extend: %v", err)
		}
		s.delete(q, s.receiveOne(q, long))
		s.notBefore("the message came back", changed, after*s.o.Tick)
		return nil, true
	})
}

func visibilityZero(s *suite) {
	name, q := s.create(queue.Config{})
	s.send(q, text("x"))
	m := s.receiveOne(q, long)
	s.wantNone(q)
	if err := q.ChangeVisibility(s.Context(), m.Receipt, 0); err != nil {
		s.Fatal(err)
	}
	s.delete(q, s.receiveOne(q, long))
	s.wantTotal(name, 0)
}

func visibilityStaleReceipt(s *suite) {
	_, q := s.create(queue.Config{})
	s.send(q, text("x"))
	first := s.receiveOne(q, long)
	if err := q.ChangeVisibility(s.Context(), first.Receipt, 0); err != nil {
		s.Fatal(err)
	}
	second := s.receiveOne(q, long)
	err := q.ChangeVisibility(s.Context(), first.Receipt, 0)
	if !s.o.AcceptsStale {
		s.wantError("change visibility by the first receipt", err, queue.ErrReceipt)
		s.wantNone(q)
	}
	s.wantError("change visibility by nonsense", q.ChangeVisibility(s.Context(), "nonsense", 0), queue.ErrReceipt)
	s.delete(q, second)
}

func deleteTwice(s *suite) {
	name, q := s.create(queue.Config{})
	s.send(q, text("x"), text("y"))
	msgs := s.receive(q, 2, long)
	s.delete(q, msgs...)
	s.delete(q, msgs...)
	s.delete(q, msgs[0], msgs[0])
	s.wantTotal(name, 0)
	// A receipt of a deleted message does not touch a later one.
	s.send(q, text("z"))
	s.delete(q, msgs...)
	s.wantSame(s.receiveOne(q, long), text("z"))
}

func deleteAfterTimeout(s *suite) {
	name, q := s.create(queue.Config{})
	s.send(q, text("x"))
	m := s.receiveOne(q, s.o.Tick)
	s.eventually("visible again", func() (any, bool) {
		d := s.depth(name)
		return d, d.Visible == 1
	})
	s.delete(q, m)
	s.wantTotal(name, 0)
	s.wantNone(q)
}

func deleteMalformed(s *suite) {
	name, q := s.create(queue.Config{})
	_, other := s.create(queue.Config{})
	s.send(q, text("x"), text("y"))
	s.send(other, text("z"))
	msgs := s.receive(q, 2, long)
	foreign := s.receiveOne(other, long)
	errs := q.Delete(s.Context(), []string{msgs[0].Receipt, "nonsense", msgs[1].Receipt})
	if len(errs) != 3 || errs[0] != nil || errs[2] != nil {
		s.Fatalf("delete: %v", errs)
	}
	s.wantError("delete of nonsense", errs[1], queue.ErrReceipt)
	s.wantTotal(name, 0)

	// Whatever the answer to a receipt of another queue is, its message stays.
	_ = q.Delete(s.Context(), []string{foreign.Receipt})
	if err := other.ChangeVisibility(s.Context(), foreign.Receipt, 0); err != nil {
		s.Fatal(err)
	}
	s.wantSame(s.receiveOne(other, long), text("z"))
}
