package queuetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

const consumers = 6

// record keeps who received what.
type record struct {
	mu       sync.Mutex
	receives map[string][]span // by message id
	bodies   map[string]string // by message id
	deleted  map[string]bool   // bodies
}

// span is one receive: the message is this consumer's from some moment of the call on
// for the visibility timeout.
type span struct {
	asked, got time.Time
	visibility time.Duration
}

// mayFollow reports whether a can have received the message after b's hold had ended.
func (a span) mayFollow(b span, tolerance time.Duration) bool {
	return a.got.After(b.asked.Add(b.visibility - tolerance))
}

func newRecord() *record {
	return &record{receives: make(map[string][]span), bodies: make(map[string]string), deleted: make(map[string]bool)}
}

func (r *record) received(m queue.Received, s span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.receives[m.ID] = append(r.receives[m.ID], s)
	r.bodies[m.ID] = string(m.Body)
}

func (r *record) done(msgs []queue.Received) (total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range msgs {
		r.deleted[string(m.Body)] = true
	}
	return len(r.deleted)
}

// check fails the test if a message was lost, or received while another held it.
func (s *suite) check(r *record, sent int) {
	s.Helper()
	if len(r.deleted) != sent {
		s.Errorf("%d of %d messages processed", len(r.deleted), sent)
	}
	if s.o.MayRepeat {
		return
	}
	if len(r.bodies) != sent {
		s.Errorf("%d ids received, %d messages sent", len(r.bodies), sent)
	}
	for id, spans := range r.receives {
		for i, a := range spans {
			for _, b := range spans[:i] {
				if !a.mayFollow(b, s.o.Tick/20) && !b.mayFollow(a, s.o.Tick/20) {
					s.Errorf("%s (%s) was handed to two consumers: %v and %v", r.bodies[id], id, a, b)
				}
			}
		}
	}
}

// consume receives until all sent messages are processed. handle says which of the
// received ones to delete.
func (s *suite) consume(ctx context.Context, q queue.Queue, r *record, sent int, visibility time.Duration, handle func([]queue.Received) []queue.Received) error {
	for ctx.Err() == nil {
		asked := time.Now()
		msgs, err := q.Receive(ctx, queue.ReceiveOptions{Max: queue.MaxBatch, Wait: s.o.Tick, Visibility: visibility})
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		got := time.Now()
		for _, m := range msgs {
			r.received(m, span{asked, got, visibility})
		}
		good := handle(msgs)
		receipts := make([]string, len(good))
		for i, m := range good {
			receipts[i] = m.Receipt
		}
		for _, err := range q.Delete(ctx, receipts) {
			if err != nil {
				return fmt.Errorf("delete: %w", err)
			}
		}
		if r.done(good) == sent {
			return nil
		}
	}
	return ctx.Err()
}

// runConsumers lets several goroutines send and several consume at once.
func (s *suite) runConsumers(q queue.Queue, sent []queue.Message, visibility time.Duration, handle func([]queue.Received) []queue.Received) *record {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), s.o.Settle+time.Minute)
	defer cancel()
	r := newRecord()
	var wg sync.WaitGroup
	const senders = 3
	for i := range senders {
		wg.Go(func() {
			part := sent[i*len(sent)/senders : (i+1)*len(sent)/senders]
			for len(part) > 0 {
				n := min(len(part), 7)
				for _, err := range q.Send(ctx, part[:n]) {
					if err != nil {
						s.Errorf("send: %v", err)
					}
				}
				part = part[n:]
			}
		})
	}
	for range consumers {
		wg.Go(func() {
			if err := s.consume(ctx, q, r, len(sent), visibility, handle); err != nil {
				s.Error(err)
			}
		})
	}
	wg.Wait()
	return r
}

func concurrentConsumers(s *suite) {
	name, q := s.create(queue.Config{})
	sent := numbered(300)
	r := s.runConsumers(q, sent, long, func(msgs []queue.Received) []queue.Received { return msgs })
	s.check(r, len(sent))
	if !s.o.MayRepeat {
		for id, spans := range r.receives {
			if len(spans) != 1 {
				s.Errorf("%s was received %d times", r.bodies[id], len(spans))
			}
		}
	}
	s.wantTotal(name, 0)
}

// concurrentFailures: a message whose consumer fails comes back, and only then.
func concurrentFailures(s *suite) {
	name, q := s.create(queue.Config{})
	sent := numbered(100)
	r := s.runConsumers(q, sent, 2*s.o.Tick, func(msgs []queue.Received) []queue.Received {
		var good []queue.Received
		for _, m := range msgs {
			if m.ReceiveCount > int(m.Body[len(m.Body)-1])%3 { // the first tries of most messages fail
				good = append(good, m)
			}
		}
		return good
	})
	s.check(r, len(sent))
	s.wantTotal(name, 0)
}
