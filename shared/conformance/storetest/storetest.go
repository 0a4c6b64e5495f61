// Package storetest is the conformance suite of store.Store. Every adapter runs it:
//
//	func TestConformance(t *testing.T) { storetest.Run(t, fresh) }
package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/store"
)

// Options of a handle on the store under test.
type Options struct {
	Aggregate func(eventType string) bool // types that ask for aggregates; nil: none
	Now       func() time.Time            // never nil
}

// Opener opens one more handle on the same data, as another writer or after a restart
// would. The suite closes the handle.
type Opener func(t *testing.T, o Options) store.Store

// Run runs the suite. fresh makes an empty store, removed when t ends, and returns the
// opener of handles on it.
func Run(t *testing.T, fresh func(t *testing.T) Opener) {
	for _, part := range []struct {
		name string
		test func(t *testing.T, open Opener)
	}{
		{"Write/EmptyBatch", writeEmptyBatch},
		{"Write/DuplicatesWithinBatch", writeDuplicatesWithinBatch},
		{"Write/FirstVersionStays", writeFirstVersionStays},
		{"Write/InvalidEventAlone", writeInvalidEventAlone},
		{"Write/CancelledContext", writeCancelledContext},
		{"Write/ConcurrentOverlapping", writeConcurrentOverlapping},
		{"Get/ByteForByte", getByteForByte},
		{"Get/ByIDAlone", getByIDAlone},
		{"Get/ReceivedAndStored", getReceivedAndStored},
		{"List/EachFilter", listEachFilter},
		{"List/Cursor", listCursor},
		{"List/Limit", listLimit},
		{"List/StableWhileWriting", listStableWhileWriting},
		{"Lease/Lifecycle", leaseLifecycle},
		{"Lease/ExactlyOneGranted", leaseExactlyOneGranted},
		{"Lease/TakeOver", leaseTakeOver},
		{"Lease/FinishLate", leaseFinishLate},
		{"Lease/GiveBack", leaseGiveBack},
		{"Lease/Reset", leaseReset},
		{"Lease/Stored", leaseStored},
		{"Lease/StoredWithoutLease", leaseStoredWithoutLease},
		{"Analytics/Aggregate", analyticsAggregate},
		{"Analytics/Counters", analyticsCounters},
		{"Analytics/OnlyTypesThatAsk", analyticsOnlyTypesThatAsk},
		{"Analytics/EqualRebuild", analyticsEqualRebuild},
		{"Check", check},
		{"Closed", closed},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, fresh(t)) })
	}
	t.Run("Model", func(t *testing.T) { model(t, fresh) })
}

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: start} }

var start = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// handle opens a handle with a standing clock, closed when t ends.
func handle(t *testing.T, open Opener, o Options) store.Store {
	t.Helper()
	if o.Now == nil {
		o.Now = newClock().Now
	}
	s := open(t, o)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// patience bounds how long any test may take to see a change made by another goroutine.
const patience = 2 * time.Minute

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func check(t *testing.T, open Opener) {
	s := handle(t, open, Options{})
	if err := s.Check(testContext(t)); err != nil {
		t.Errorf("Check of a sound store: %v", err)
	}
}

// closed: a closed store answers every call with an error, and closing twice is none.
func closed(t *testing.T, open Opener) {
	s := open(t, Options{Now: newClock().Now})
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	ctx := testContext(t)
	if _, err := s.Write(ctx, batchOf(t, spec{ID: "1"})); err == nil {
		t.Error("Write to a closed store: no error")
	}
	if _, err := s.Count(ctx, store.Filter{}); err == nil {
		t.Error("Count of a closed store: no error")
	}
	if err := s.Check(ctx); err == nil {
		t.Error("Check of a closed store: no error")
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
