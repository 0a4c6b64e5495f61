package queue_test

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	sqlite "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/queue"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// These run in synctest bubbles: time passes only while everybody waits, so that waits
// can be measured exactly, and a busy loop would never end.

type answer struct {
	msgs  []queue.Received
	err   error
	after time.Duration
}

// waitFor starts a long poll and returns once it waits.
func waitFor(t *testing.T, q queue.Queue, wait time.Duration) <-chan answer {
	got, start := make(chan answer, 1), time.Now()
	go func() {
		msgs, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 1, Wait: wait})
		got <- answer{msgs, err, time.Since(start)}
	}()
	synctest.Wait()
	return got
}

func openQueue(t *testing.T, path string) (*sqlite.Broker, queue.Queue) {
	t.Helper()
	b, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Create(t.Context(), "q", queue.Config{}); err != nil {
		t.Fatal(err)
	}
	q, err := b.Queue(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	return b, q
}

func mustSend(t testing.TB, q queue.Queue, msgs ...queue.Message) {
	t.Helper()
	for _, err := range q.Send(t.Context(), msgs) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWakeUp(t *testing.T) {
	body := []byte("x")
	for _, c := range []struct {
		name string
		// cause makes a message visible, in some way, to somebody who waits.
		cause    func(t *testing.T, own, foreign queue.Queue)
		min, max time.Duration // when the waiter gets it
	}{
		{"by a send of this process", func(t *testing.T, own, _ queue.Queue) {
			time.Sleep(7 * time.Second)
			mustSend(t, own, queue.Message{Body: body})
		}, 7 * time.Second, 7 * time.Second},
		{"by a send of another process", func(t *testing.T, _, foreign queue.Queue) {
			time.Sleep(7 * time.Second)
			mustSend(t, foreign, queue.Message{Body: body})
		}, 7 * time.Second, 7*time.Second + 50*time.Millisecond},
		{"when a delay ends", func(t *testing.T, own, _ queue.Queue) {
			mustSend(t, own, queue.Message{Body: body, Delay: 3 * time.Second})
		}, 3 * time.Second, 3*time.Second + 50*time.Millisecond},
		{"when a visibility timeout ends", func(t *testing.T, _, foreign queue.Queue) {
			mustSend(t, foreign, queue.Message{Body: body})
			msgs, err := foreign.Receive(t.Context(), queue.ReceiveOptions{Max: 1, Visibility: 4 * time.Second})
			if err != nil || len(msgs) != 1 {
				t.Fatal(msgs, err)
			}
		}, 4 * time.Second, 4*time.Second + 50*time.Millisecond},
		{"when a message is given back", func(t *testing.T, _, foreign queue.Queue) {
			mustSend(t, foreign, queue.Message{Body: body})
			msgs, err := foreign.Receive(t.Context(), queue.ReceiveOptions{Max: 1})
			if err != nil || len(msgs) != 1 {
				t.Fatal(msgs, err)
			}
			time.Sleep(2 * time.Second)
			if err := foreign.ChangeVisibility(t.Context(), msgs[0].Receipt, 0); err != nil {
				t.Fatal(err)
			}
		}, 2 * time.Second, 2*time.Second + 50*time.Millisecond},
		{"not at all", func(*testing.T, queue.Queue, queue.Queue) {}, 20 * time.Second, 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "queues.db")
				own, q := openQueue(t, path)
				foreign, fq := openQueue(t, path)
				defer func() {
					if err := errors.Join(own.Close(), foreign.Close()); err != nil {
						t.Error(err)
					}
				}()
				got := waitFor(t, q, queue.MaxWait)
				c.cause(t, q, fq)
				a := <-got
				if a.err != nil || a.after < c.min || a.after > c.max || len(a.msgs) == 0 != (c.min == queue.MaxWait) {
					t.Errorf("%d messages, error %v after %v; want it after %v to %v", len(a.msgs), a.err, a.after, c.min, c.max)
				}
			})
		})
	}
}

func TestCloseEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, q := openQueue(t, filepath.Join(t.TempDir(), "queues.db"))
		got := waitFor(t, q, queue.MaxWait)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if a := <-got; a.err == nil || a.after > 0 {
			t.Errorf("the wait ended with %v after %v", a.err, a.after)
		}
		if _, err := b.Depths(t.Context()); err == nil {
			t.Error("a closed broker answers")
		}
	})
}
