package queuetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

func receiveMax(s *suite) {
	_, q := s.create(queue.Config{})
	sent := numbered(2 * queue.MaxBatch)
	s.send(q, sent...)
	var got []queue.Received
	s.eventually("all received", func() (any, bool) {
		msgs, err := q.Receive(s.Context(), queue.ReceiveOptions{Max: 3, Wait: s.o.Tick, Visibility: long})
		if err != nil || len(msgs) > 3 {
			s.Fatalf("received %d messages, at most 3 wanted: %v", len(msgs), err)
		}
		got = append(got, msgs...)
		return len(got), len(got) == len(sent)
	})
	s.wantBodies(got, sent)
}

func receiveEmpty(s *suite) {
	_, q := s.create(queue.Config{})
	s.wantNone(q)
	start := time.Now()
	msgs, err := q.Receive(s.Context(), queue.ReceiveOptions{Max: 1, Wait: s.o.Tick})
	if len(msgs) != 0 || err != nil {
		s.Errorf("empty queue: %d messages, error %v", len(msgs), err)
	}
	s.notBefore("an empty receive ended", start, s.o.Tick)
}

func receiveWaits(s *suite) {
	_, q := s.create(queue.Config{})
	var wg sync.WaitGroup
	start := time.Now()
	wg.Go(func() {
		msgs, err := q.Receive(s.Context(), queue.ReceiveOptions{Max: 1, Wait: queue.MaxWait, Visibility: long})
		switch {
		case err != nil || len(msgs) != 1:
			s.Errorf("waiting receive: %d messages, error %v", len(msgs), err)
		case string(msgs[0].Body) != "news":
			s.Errorf("received %q", msgs[0].Body)
		}
		if waited := time.Since(start); waited > queue.MaxWait*3/4 {
			s.Errorf("the message came only after %v", waited)
		}
	})
	time.Sleep(s.o.Tick / 2) // not for order: either way the message must come soon
	s.send(q, text("news"))
	wg.Wait()
}

func receiveCancelled(s *suite) {
	_, q := s.create(queue.Config{})
	ctx, cancel := context.WithTimeout(s.Context(), s.o.Tick/2)
	defer cancel()
	start := time.Now()
	msgs, err := q.Receive(ctx, queue.ReceiveOptions{Max: 1, Wait: queue.MaxWait})
	if len(msgs) > 0 || !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("%d messages, error %v", len(msgs), err)
	}
	if waited := time.Since(start); waited > queue.MaxWait*3/4 {
		s.Errorf("ended only after %v", waited)
	}
}

func receiveCount(s *suite) {
	_, q := s.create(queue.Config{})
	s.send(q, everything())
	var first queue.Received
	for n := 1; n <= 4; n++ {
		got := s.receiveOne(q, long)
		if n == 1 {
			first = got
		}
		s.wantSame(got, everything())
		if got.ReceiveCount != n || got.ID != first.ID {
			s.Errorf("receive %d: count %d, id %s, at first %s", n, got.ReceiveCount, got.ID, first.ID)
		}
		if !got.Sent.Equal(first.Sent) || !got.FirstReceive.Equal(first.FirstReceive) {
			s.Errorf("receive %d: sent %v, first received %v; at first %v and %v", n, got.Sent, got.FirstReceive, first.Sent, first.FirstReceive)
		}
		if n > 1 && got.Receipt == first.Receipt {
			s.Errorf("receive %d has the receipt of the first", n)
		}
		if err := q.ChangeVisibility(s.Context(), got.Receipt, 0); err != nil {
			s.Fatal(err)
		}
	}
}
