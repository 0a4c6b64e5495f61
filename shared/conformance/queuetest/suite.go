package queuetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// suite is what one test works with.
type suite struct {
	*testing.T
	b queue.Broker
	o Options
}

// long is a visibility timeout that no test sees the end of.
const long = 10 * time.Minute

// create makes a queue of a new name.
func (s *suite) create(c queue.Config) (string, queue.Queue) {
	s.Helper()
	name := "millrace-test-" + strings.ToLower(rand.Text())
	if err := s.b.Create(s.Context(), name, c); err != nil {
		s.Fatalf("create %s: %v", name, err)
	}
	return name, s.open(name)
}

func (s *suite) open(name string) queue.Queue {
	s.Helper()
	q, err := s.b.Queue(s.Context(), name)
	if err != nil {
		s.Fatalf("open %s: %v", name, err)
	}
	return q
}

// send sends messages that must all be taken.
func (s *suite) send(q queue.Queue, msgs ...queue.Message) {
	s.Helper()
	errs := q.Send(s.Context(), msgs)
	if len(errs) != len(msgs) {
		s.Fatalf("send of %d messages answered %d errors", len(msgs), len(errs))
	}
	for i, err := range errs {
		if err != nil {
			s.Fatalf("send of message %d: %v", i, err)
		}
	}
}

func text(format string, args ...any) queue.Message {
	return queue.Message{Body: fmt.Appendf(nil, format, args...)}
}

// numbered makes n messages of different bodies.
func numbered(n int) []queue.Message {
	msgs := make([]queue.Message, n)
	for i := range msgs {
		msgs[i] = text("message %d", i)
	}
	return msgs
}

// eventually asks until ok, and fails with what was seen last when Settle is over.
func (s *suite) eventually(what string, ask func() (seen any, ok bool)) {
	s.Helper()
	for deadline := time.Now().Add(s.o.Settle); ; {
		seen, ok := ask()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("after %v not yet: %s; last seen: %+v", s.o.Settle, what, seen)
		}
		select {
		case <-time.After(s.o.Tick / 20):
		case <-s.Context().Done():
			s.Fatal(s.Context().Err())
		}
	}
}

// receive receives exactly n messages and holds them for the visibility timeout.
func (s *suite) receive(q queue.Queue, n int, visibility time.Duration) []queue.Received {
	s.Helper()
	var got []queue.Received
	s.eventually(fmt.Sprintf("%d messages received", n), func() (any, bool) {
		msgs, err := q.Receive(s.Context(), queue.ReceiveOptions{
			Max: min(queue.MaxBatch, n-len(got)), Wait: s.o.Tick, Visibility: visibility,
		})
		if err != nil {
			s.Fatalf("receive: %v", err)
		}
		got = append(got, msgs...)
		return fmt.Sprintf("%d messages", len(got)), len(got) == n
	})
	return got
}

func (s *suite) receiveOne(q queue.Queue, visibility time.Duration) queue.Received {
	s.Helper()
	return s.receive(q, 1, visibility)[0]
}

// wantNone checks that no message is visible now.
func (s *suite) wantNone(q queue.Queue) {
	s.Helper()
	msgs, err := q.Receive(s.Context(), queue.ReceiveOptions{Max: 1, Visibility: long})
	if err != nil {
		s.Fatalf("receive: %v", err)
	}
	if len(msgs) > 0 {
		s.Fatalf("received %q, want nothing", msgs[0].Body)
	}
}

func (s *suite) delete(q queue.Queue, msgs ...queue.Received) {
	s.Helper()
	receipts := make([]string, len(msgs))
	for i, m := range msgs {
		receipts[i] = m.Receipt
	}
	for i, err := range q.Delete(s.Context(), receipts) {
		if err != nil {
			s.Fatalf("delete %q: %v", msgs[i].Body, err)
		}
	}
}

// wantTotal waits until the queue holds n messages, visible or not.
func (s *suite) wantTotal(name string, n int) {
	s.Helper()
	s.eventually(fmt.Sprintf("%d messages in %s", n, name), func() (any, bool) {
		d := s.depth(name)
		return d, d.Total() == n
	})
}

func (s *suite) depth(name string) queue.Depth {
	s.Helper()
	depths, err := s.b.Depths(s.Context(), name)
	if err != nil {
		s.Fatalf("depths of %s: %v", name, err)
	}
	d, ok := depths[name]
	if !ok {
		s.Fatalf("depths of %s: not in %v", name, depths)
	}
	return d
}

func (s *suite) wantError(what string, err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// wantSame checks that a received message is the one sent.
func (s *suite) wantSame(got queue.Received, sent queue.Message) {
	s.Helper()
	if string(got.Body) != string(sent.Body) {
		s.Errorf("body %.100q, sent %.100q", got.Body, sent.Body)
	}
	if !maps.Equal(got.Attributes, sent.Attributes) {
		s.Errorf("attributes %q, sent %q", got.Attributes, sent.Attributes)
	}
}

// bodies of messages, with how often each was received.
func bodies(msgs []queue.Received) map[string]int {
	count := make(map[string]int)
	for _, m := range msgs {
		count[string(m.Body)]++
	}
	return count
}

// wantBodies checks that each message sent was received once, and nothing else.
func (s *suite) wantBodies(got []queue.Received, sent []queue.Message) {
	s.Helper()
	want := make(map[string]int)
	for _, m := range sent {
		want[string(m.Body)]++
	}
	if got := bodies(got); !maps.Equal(got, want) {
		s.Errorf("received %v, want %v", got, want)
	}
}

// notBefore checks that a wait that began at start did not end early. SQS counts in
// milliseconds, and the clocks of the two ends differ by some more.
func (s *suite) notBefore(what string, start time.Time, d time.Duration) {
	s.Helper()
	if waited := time.Since(start); waited < d-s.o.Tick/20 {
		s.Errorf("%s after %v, want at least %v", what, waited, d)
	}
}
