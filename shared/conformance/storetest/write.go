package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func writeEmptyBatch(t *testing.T, open Opener) {
	ctx, s := testContext(t), handle(t, open, Options{})
	results, err := s.Write(ctx, nil)
	if err != nil || len(results) != 0 {
		t.Errorf("Write of nothing: %d results, %v", len(results), err)
	}
	if n := count(ctx, t, s, store.Filter{}); n != 0 {
		t.Errorf("%d events in an empty store", n)
	}
}

func writeDuplicatesWithinBatch(t *testing.T, open Opener) {
	ctx, s := testContext(t), handle(t, open, Options{})
	a, b := spec{ID: "a"}.event(t), spec{ID: "b"}.event(t)
	batch := []event.Event{a, b, a, a, b, spec{ID: "a", Source: "/other"}.event(t)}
	want := []bool{false, false, true, true, true, false}
	results, err := s.Write(ctx, batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Err != nil || r.Duplicate != want[i] {
			t.Errorf("event %d: duplicate %v, error %v; want duplicate %v", i, r.Duplicate, r.Err, want[i])
		}
	}
	if n := count(ctx, t, s, store.Filter{}); n != 3 {
		t.Errorf("%d events stored, want 3", n)
	}
	if fresh := write(ctx, t, s, batch); fresh != 0 {
		t.Errorf("the same batch again stored %d events", fresh)
	}
}

// writeFirstVersionStays: delivery rule 8, a replay never undoes later state.
func writeFirstVersionStays(t *testing.T, open Opener) {
	ctx, s := testContext(t), handle(t, open, Options{})
	first := spec{ID: "1", Tenant: "a", Data: `{"v":1}`}.event(t)
	write(ctx, t, s, []event.Event{first})
	write(ctx, t, s, batchOf(t, spec{ID: "1", Tenant: "b", Data: `{"v":2}`}, spec{ID: "2", Tenant: "b"}))
	rec := get(ctx, t, s, first.Key())
	if got := string(rec.Event.JSON()); got != string(first.JSON()) {
		t.Errorf("a second version replaced the first: %s", got)
	}
	if n := count(ctx, t, s, store.Filter{Tenant: "b"}); n != 1 {
		t.Errorf("%d events of tenant b, want 1: the refused version is listed", n)
	}
}

func writeInvalidEventAlone(t *testing.T, open Opener) {
	ctx, s := testContext(t), handle(t, open, Options{})
	batch := batchOf(t, spec{ID: "1"}, spec{ID: "2"}, spec{ID: "3"})
	batch[1] = event.Event{}
	results, err := s.Write(ctx, batch)
	if err != nil {
		t.Fatalf("one invalid event failed the whole batch: %v", err)
	}
	if fault.KindOf(results[1].Err) != fault.Permanent || fault.ReasonOf(results[1].Err) != fault.StoreRejected {
		t.Errorf("invalid event: error %v, want a permanent %s", results[1].Err, fault.StoreRejected)
	}
	if results[0].Err != nil || results[2].Err != nil {
		t.Errorf("neighbours of the invalid event: %v, %v", results[0].Err, results[2].Err)
	}
	if n := count(ctx, t, s, store.Filter{}); n != 2 {
		t.Errorf("%d events stored, want 2", n)
	}
}

// writeCancelledContext: the answer is an error, transient; a retry stores the batch.
func writeCancelledContext(t *testing.T, open Opener) {
	s := handle(t, open, Options{})
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	batch := batchOf(t, spec{ID: "1"})
	if results, err := s.Write(ctx, batch); err == nil || fault.KindOf(err) == fault.Permanent || results != nil {
		t.Errorf("Write with a cancelled context: %v, %v; want no results and a transient error", results, err)
	}
	write(testContext(t), t, s, batch)
	get(testContext(t), t, s, batch[0].Key())
}

// writeConcurrentOverlapping: six writers, on several handles, write the same events,
// each in its own order and batches.
func writeConcurrentOverlapping(t *testing.T, open Opener) {
	const writers, handles, distinct = 6, 3, 1500
	ctx := testContext(t)
	all := func(string) bool { return true }
	var stores [handles]store.Store
	for i := range stores {
		stores[i] = handle(t, open, Options{Aggregate: all})
	}
	events := make([]event.Event, distinct)
	for i := range events {
		events[i] = spec{
			ID: fmt.Sprintf("%06d", i), Tenant: fmt.Sprint("t", i%7), Type: fmt.Sprint("kind.", i%3),
			Subject: fmt.Sprint("s", i%50), Time: start, Data: fmt.Sprintf(`{"i":%d}`, i),
		}.event(t)
	}
	var fresh atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			mine := make([]event.Event, len(events))
			for i, from := range r.Perm(len(events)) {
				mine[i] = events[from]
			}
			for len(mine) > 0 {
				n := min(len(mine), 1+r.IntN(300))
				results, err := stores[w%handles].Write(ctx, mine[:n])
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				for _, res := range results {
					if res.Err != nil {
						t.Errorf("writer %d: %v", w, res.Err)
					} else if !res.Duplicate {
						fresh.Add(1)
					}
				}
				mine = mine[n:]
			}
		})
	}
	wg.Wait()
	if fresh.Load() != distinct {
		t.Errorf("%d writes counted as new, want %d", fresh.Load(), distinct)
	}
	s := handle(t, open, Options{Aggregate: all})
	if n := count(ctx, t, s, store.Filter{}); n != distinct {
		t.Errorf("%d events stored, want %d", n, distinct)
	}
	for i := range events {
		if got := get(ctx, t, s, events[i].Key()); string(got.Event.JSON()) != string(events[i].JSON()) {
			t.Fatalf("event %d came back as %s", i, got.Event.JSON())
		}
	}
	equalsRebuild(ctx, t, s, distinct)
}
