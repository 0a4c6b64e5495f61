//go:build integration

package mongostore

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// newStore opens a store in a database of its own on the shared server.
func newStore(t *testing.T, o Options) *Store {
	t.Helper()
	if o.URI == "" {
		o.URI = harness.Mongo(t)
	}
	if o.Database == "" {
		o.Database = harness.Database(t, o.URI)
	}
	if err := Init(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return open(t, o)
}

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// mustWrite writes and returns how many events were new.
func mustWrite(t *testing.T, s *Store, batch []event.Event) (fresh int) {
	t.Helper()
	results, err := s.Write(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("event %d: %v", i, r.Err)
		}
		if !r.Duplicate {
			fresh++
		}
	}
	return fresh
}

// exactNow: in one snapshot the counters sum to the number of stored events, whatever is
// being written.
func exactNow(ctx context.Context, t *testing.T, s *Store) (stored int64) {
	t.Helper()
	var counted int64
	err := s.snapshot(ctx, func(ctx context.Context) error {
		sum, err := s.pending(ctx)
		if err != nil {
			return err
		}
		if err := s.eachCounter(ctx, bson.D{}, func(k counterKey, n int64) { sum.counters[k] += n }); err != nil {
			return err
		}
		counted = 0
		for _, n := range sum.counters {
			counted += n
		}
		stored, err = s.collection(collEvents).CountDocuments(ctx, bson.D{})
		return err
	})
	if err != nil {
		t.Errorf("read a snapshot: %v", err)
	}
	if counted != stored {
		t.Errorf("%d events are stored and %d are counted", stored, counted)
	}
	return stored
}

// exactAtRest: the counters say what is stored, and a rebuild corrects nothing.
func exactAtRest(t *testing.T, s *Store, want int64) {
	t.Helper()
	if n := exactNow(t.Context(), t, s); n != want {
		t.Errorf("%d events are stored, want %d", n, want)
	}
	counters, err := s.Counters(t.Context(), "", time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, c := range counters {
		sum += c.Count
	}
	if sum != want {
		t.Errorf("the counters sum to %d, want %d", sum, want)
	}
	if n, err := s.Count(t.Context(), store.Filter{}); err != nil || n != want {
		t.Errorf("Count: %d, %v, want %d", n, err, want)
	}
	if n, err := s.Rebuild(t.Context()); err != nil || n != 0 {
		t.Errorf("a rebuild corrected %d counters and aggregates, %v", n, err)
	}
}

func count(t *testing.T, s *Store, collection string, filter bson.D) int64 {
	t.Helper()
	n, err := s.collection(collection).CountDocuments(t.Context(), filter)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
