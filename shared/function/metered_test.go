package function

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// steppedStore takes as long for each write as the clock that it moves says.
type steppedStore struct {
	mu    sync.Mutex
	clock time.Time
	took  time.Duration
	waits int64
	err   error
}

func (s *steppedStore) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *steppedStore) Write(context.Context, []event.Event) ([]store.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(s.took)
	return nil, s.err
}

func (s *steppedStore) PoolExhausted() int64 { return s.waits }

func TestUsageIsSinceTheOneBefore(t *testing.T) {
	s := &steppedStore{err: errors.New("down"), waits: 3}
	m := &meteredStore{store: s, now: s.now}
	for _, ms := range []time.Duration{5, 700, 20} {
		s.took = ms * time.Millisecond
		if _, err := m.Write(t.Context(), nil); !errors.Is(err, s.err) {
			t.Fatal(err)
		}
	}
	if got, want := m.usage(), (pipeline.Usage{Longest: 700 * time.Millisecond, Waits: 3}); got != want {
		t.Errorf("got %+v", got)
	}
	s.waits = 8
	if got, want := m.usage(), (pipeline.Usage{Waits: 5}); got != want {
		t.Errorf("got %+v", got)
	}
}

// Whatever the order, the longest of concurrent writes is in exactly one usage.
func TestUsageOfConcurrentWrites(t *testing.T) {
	s := &steppedStore{took: time.Millisecond}
	m := &meteredStore{store: s, now: s.now}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var seen []pipeline.Usage
	for range 8 {
		wg.Go(func() {
			for range 50 {
				_, _ = m.Write(t.Context(), nil)
				u := m.usage()
				mu.Lock()
				seen = append(seen, u)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	nonzero := 0
	for _, u := range seen {
		if u.Longest > 0 {
			nonzero++
		}
	}
	if nonzero == 0 || m.usage() != (pipeline.Usage{}) {
		t.Errorf("%d usages with a time", nonzero)
	}
}
