package queuetest

import (
	"time"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

func brokerDepths(s *suite) {
	name, q := s.create(queue.Config{})
	otherName, other := s.create(queue.Config{})
	want := func(name string, want queue.Depth) {
		s.Helper()
		s.eventually("the depth of "+name, func() (any, bool) {
			d := s.depth(name)
			return d, d.Visible == want.Visible && d.InFlight == want.InFlight && d.Delayed == want.Delayed
		})
	}
	want(name, queue.Depth{})
	if d := s.depth(name); d.Oldest != 0 {
		s.Errorf("an empty queue has an oldest message of %v", d.Oldest)
	}
	later := text("later")
	later.Delay = queue.MaxDelay
	s.send(q, append(numbered(5), later)...)
	s.send(other, text("x"))
	s.receive(q, 2, long)
	want(name, queue.Depth{Visible: 3, InFlight: 2, Delayed: 1})
	want(otherName, queue.Depth{Visible: 1})
	if d := s.depth(name); d.Oldest < 0 || d.Oldest > s.o.Settle+time.Minute {
		s.Errorf("the oldest message is %v old", d.Oldest)
	}

	both, err := s.b.Depths(s.Context(), name, otherName)
	if err != nil || len(both) != 2 {
		s.Errorf("depths of two queues: %v, %v", both, err)
	}
	all, err := s.b.Depths(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	for _, n := range []string{name, otherName} {
		if _, ok := all[n]; !ok {
			s.Errorf("%s is not in the depths of all queues", n)
		}
	}
}

func brokerPurge(s *suite) {
	name, q := s.create(queue.Config{})
	otherName, other := s.create(queue.Config{})
	later := text("later")
	later.Delay = queue.MaxDelay
	s.send(q, append(numbered(2*queue.MaxBatch), later)...)
	s.send(other, text("kept"))
	held := s.receive(q, 3, long)
	if err := s.b.Purge(s.Context(), name); err != nil {
		s.Fatal(err)
	}
	s.wantTotal(name, 0)
	s.delete(q, held...) // no error, although they are gone
	s.wantTotal(otherName, 1)
	if err := s.b.Purge(s.Context(), otherName); err != nil {
		s.Fatal(err)
	}
	s.wantTotal(otherName, 0)
}

func brokerCreateChanges(s *suite) {
	name, q := s.create(queue.Config{})
	s.send(q, text("x"))
	if err := s.b.Create(s.Context(), name, queue.Config{}); err != nil {
		s.Errorf("the same again: %v", err)
	}
	if err := s.b.Create(s.Context(), name, queue.Config{Visibility: 2 * s.o.Tick}); err != nil {
		s.Fatal(err)
	}
	// The message is still there, and an open queue takes the change. SQS needs up to a
	// minute for it.
	s.eventually("the new visibility timeout holds", func() (any, bool) {
		m := s.receiveOne(q, 0)
		back := s.receiveWithin(q, 10*s.o.Tick)
		if err := q.ChangeVisibility(s.Context(), m.Receipt, 0); err != nil && !back {
			s.Fatal(err)
		}
		return "still hidden", back
	})

	if err := s.b.Create(s.Context(), name, queue.Config{DLQ: name + "-none", MaxReceives: 1}); err == nil {
		s.Error("a dead-letter queue that does not exist was accepted")
	}
	if err := s.b.Create(s.Context(), "not a name!", queue.Config{}); err == nil {
		s.Error("a name that SQS refuses was accepted")
	}
}

// receiveWithin reports whether a message comes in the time.
func (s *suite) receiveWithin(q queue.Queue, d time.Duration) bool {
	s.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		msgs, err := q.Receive(s.Context(), queue.ReceiveOptions{Max: 1, Wait: s.o.Tick, Visibility: long})
		if err != nil {
			s.Fatal(err)
		}
		if len(msgs) > 0 {
			return true
		}
	}
	return false
}

func brokerNoQueue(s *suite) {
	const none = "millrace-test-there-is-no-such-queue"
	_, err := s.b.Queue(s.Context(), none)
	s.wantError("open", err, queue.ErrNoQueue)
	_, err = s.b.Depths(s.Context(), none)
	s.wantError("depths", err, queue.ErrNoQueue)
	s.wantError("purge", s.b.Purge(s.Context(), none), queue.ErrNoQueue)
}
