package queuetest

import (
	"time"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// createWithDLQ makes a queue and its dead-letter queue.
func (s *suite) createWithDLQ(maxReceives int) (name string, q queue.Queue, dlqName string, dlq queue.Queue) {
	s.Helper()
	dlqName, dlq = s.create(queue.Config{})
	name, q = s.create(queue.Config{DLQ: dlqName, MaxReceives: maxReceives})
	return name, q, dlqName, dlq
}

// giveUp receives messages until they have gone to the DLQ, making them visible each time.
func (s *suite) giveUp(name string, q queue.Queue) {
	s.Helper()
	s.eventually("everything in the dead-letter queue", func() (any, bool) {
		msgs, err := q.Receive(s.Context(), queue.ReceiveOptions{Max: queue.MaxBatch, Visibility: long})
		if err != nil {
			s.Fatal(err)
		}
		for _, m := range msgs {
			if err := q.ChangeVisibility(s.Context(), m.Receipt, 0); err != nil {
				s.Fatal(err)
			}
		}
		d := s.depth(name)
		return d, len(msgs) == 0 && d.Total() == 0
	})
}

func dlqAfterMaxReceives(s *suite) {
	const maxReceives = 3
	name, q, dlqName, dlq := s.createWithDLQ(maxReceives)
	s.send(q, text("poison"))
	var last queue.Received
	for n := 1; n <= maxReceives; n++ {
		last = s.receiveOne(q, long)
		if last.ReceiveCount != n {
			s.Errorf("receive %d has count %d", n, last.ReceiveCount)
		}
		s.wantNone(dlq)
		if err := q.ChangeVisibility(s.Context(), last.Receipt, 0); err != nil {
			s.Fatal(err)
		}
	}
	// Only the next receive moves it, and gets nothing.
	s.eventually("in the dead-letter queue", func() (any, bool) {
		s.wantNone(q)
		d := s.depth(dlqName)
		return d, d.Total() == 1
	})
	got := s.receiveOne(dlq, long)
	s.wantSame(got, text("poison"))
	if got.ID != last.ID {
		s.Errorf("id %s in the dead-letter queue, was %s", got.ID, last.ID)
	}
	s.wantTotal(name, 0)
	// The receipt of the old queue does not delete the dead letter.
	_ = q.Delete(s.Context(), []string{last.Receipt})
	if err := dlq.ChangeVisibility(s.Context(), got.Receipt, 0); err != nil {
		s.Fatal(err)
	}
	s.delete(dlq, s.receiveOne(dlq, long))
	s.wantTotal(dlqName, 0)
}

func dlqKeepsEverything(s *suite) {
	name, q, _, dlq := s.createWithDLQ(1)
	start := time.Now()
	s.send(q, everything())
	first := s.receiveOne(q, long)
	if err := q.ChangeVisibility(s.Context(), first.Receipt, 0); err != nil {
		s.Fatal(err)
	}
	s.giveUp(name, q)
	got := s.receiveOne(dlq, long)
	s.wantSame(got, everything())
	if !got.Sent.Equal(first.Sent) {
		s.Errorf("sent %v in the dead-letter queue, was %v (the test began at %v)", got.Sent, first.Sent, start)
	}
}

// dlqNotBefore: good messages between poison ones do not go to the DLQ with them.
func dlqNotBefore(s *suite) {
	_, q, dlqName, dlq := s.createWithDLQ(2)
	s.send(q, text("poison"))
	for range 2 {
		m := s.receiveOne(q, long)
		if err := q.ChangeVisibility(s.Context(), m.Receipt, 0); err != nil {
			s.Fatal(err)
		}
	}
	s.send(q, text("good"))
	m := s.receiveOne(q, long)
	s.wantSame(m, text("good"))
	s.delete(q, m)
	s.eventually("the poison in the dead-letter queue", func() (any, bool) {
		s.wantNone(q)
		return s.depth(dlqName), s.depth(dlqName).Total() == 1
	})
	s.wantSame(s.receiveOne(dlq, long), text("poison"))
}
