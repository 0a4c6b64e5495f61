// Package store is the contract of the event store. It is implemented by SQLite
// (layout segments, embedded) and MongoDB (layout documents);
// shared/conformance/storetest holds the suite both pass.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
)

var (
	// ErrNotFound: no event has that key; no event was aggregated for that subject.
	ErrNotFound = errors.New("event not found")
	// ErrAmbiguous: several sources have an event with that id; name the source.
	ErrAmbiguous = errors.New("several events have this id; name the source")
	// ErrBadCursor: a page cursor that this store did not make for this filter.
	ErrBadCursor = errors.New("page cursor is not valid")
)

// Status of an event. A stored event is Completed. An event whose handler has side
// effects (delivery rule 9) is known to the store from the start of the effect on.
type Status string

const (
	Pending    Status = "PENDING"    // reset by an operator: the next delivery may start it
	Processing Status = "PROCESSING" // an owner holds the lease
	Completed  Status = "COMPLETED"
	Failed     Status = "FAILED" // the effect failed for good; the event is in the dead-letter queue
)

// Writer writes events.
type Writer interface {
	// Write stores each event of the batch that is not there yet, durably, before it
	// returns. An event already stored stays exactly as it is (delivery rule 8): a
	// duplicate, also within the batch, is no error. Any number of writers may write
	// overlapping batches at once.
	//
	// The results are one per event, in order. err concerns the whole batch: nothing is
	// known to be stored, and the results are nil. It is fault.StoreUnreachable, unstarted,
	// where the store was not reached at all, and else fault.StoreUnavailable, transient,
	// unless the store can tell that no later attempt will do better. The events are used
	// no longer than the call.
	Write(ctx context.Context, batch []event.Event) ([]Result, error)
}

// Result of writing one event.
type Result struct {
	Duplicate bool  // it was there before, or earlier in the batch
	Err       error // it is not stored; carries a fault.Kind
}

// Record is one event as the store knows it.
type Record struct {
	Event    event.Event
	Status   Status
	Received time.Time // when the pipeline received it
	Stored   time.Time // when it was written; zero while only its effect is known
	Lease    *Lease    // the effect's lease, for Processing, Pending and Failed
}

// Filter selects events; a zero field selects all. Times are compared in milliseconds.
type Filter struct {
	Tenant, Subject, User string
	Type                  string // exact, or a prefix ending in ".*" ("com.github.*")
	Source                string
	Status                Status
	From, To              time.Time // TimeOf the event, [From, To)
}

// Page of a listing, in the order of Position.
type Page struct {
	Records []Record
	Next    string // cursor of the next page; "" on the last
}

// Reader reads events.
type Reader interface {
	// Get returns one event. An empty Source finds the event by id alone: ErrAmbiguous
	// if several sources have one. ErrNotFound if there is none.
	Get(ctx context.Context, key event.Key) (Record, error)
	// List returns at most limit events (at least 1), newest first by event time in the
	// order of Position, from the cursor on. Paging through is stable: events that arrive
	// meanwhile neither repeat nor hide others. ErrBadCursor if the cursor is not one that
	// a listing with this very filter returned.
	List(ctx context.Context, f Filter, limit int, cursor string) (Page, error)
	// Count counts the events that List would return.
	Count(ctx context.Context, f Filter) (int64, error)
}

// LeaseRequest asks for the right to run the effect of one event.
type LeaseRequest struct {
	Event event.Event // as it came to the stage
	Owner string      // invocation id
	Until time.Time   // the invocation's deadline, kept in milliseconds
}

// Lease is the right to run one effect.
type Lease struct {
	Key     event.Key
	Owner   string
	Until   time.Time
	Token   int64  // fencing token: grows with every lease of this event, for ever
	Attempt int    // effects started so far, this one included
	Error   string // why the effect failed, while FAILED
}

// Acquired is the answer to Acquire.
type Acquired int

const (
	Granted Acquired = iota + 1 // run the effect, then Finish
	Held                        // a lease has not ended, whoever owns it: try later
	Done                        // the effect has been run: use its recorded result
)

// Leases keep effects from happening twice (delivery rule 9).
type Leases interface {
	// Acquire moves an event from PENDING, from FAILED, from an ended lease, or from
	// nothing to PROCESSING, atomically: of any number of callers at once exactly one is
	// granted. A lease has ended when the clock has reached its Until. When Held, l is the
	// lease that stands in the way; when Done, result is what Finish recorded. An event
	// that was stored without a lease counts as nothing: no effect of it is on record.
	Acquire(ctx context.Context, r LeaseRequest) (a Acquired, l Lease, result []byte, err error)
	// Finish ends the lease: COMPLETED with the result to record; FAILED, or PENDING to
	// give it back for another try, with result as the text of Lease.Error. ok is false if
	// another owner has taken the lease over since, or the effect is COMPLETED already and
	// s is not: then nothing was changed, and the caller's outputs must not be published.
	// A lease that ended, or was reset, and that nobody took over can still be finished:
	// its effect happened. Completing again is ok, and the result recorded first stays.
	Finish(ctx context.Context, l Lease, s Status, result []byte) (ok bool, err error)
	// Reset sets stuck events (PROCESSING with a lease that ended before the given time)
	// that match the filter to PENDING, at most limit, longest ended first, and returns
	// their keys.
	Reset(ctx context.Context, f Filter, endedBefore time.Time, limit int) ([]event.Key, error)
}

// Aggregate sums up the events of one source and subject, for the types that ask for it.
type Aggregate struct {
	Source, Subject string
	Version         int64 // number of distinct events
	First, Last     time.Time
	ByType          map[string]int64
	LatestID        string // the event with the greatest (time, id); never an older one that came later
	LatestType      string
	LatestData      []byte // its data, JSON, byte for byte; nil when it has none
}

// Counter is the number of distinct stored events of one hour, tenant and type.
type Counter struct {
	Hour   time.Time // event time truncated to the hour, UTC
	Tenant string
	Type   string
	Count  int64
}

// Analytics reads what Write keeps besides the events. Both are exact: they equal a
// rebuild from the stored events at any moment, whatever crashed or came twice. Both go
// by TimeOf.
type Analytics interface {
	// Aggregate of one source and subject; ErrNotFound if no event of a type that asks
	// for aggregates has been stored for it.
	Aggregate(ctx context.Context, source, subject string) (Aggregate, error)
	// Counters of the hours that begin in [from, to), by hour, tenant and type. An empty
	// tenant and a zero time select all; from is truncated to its hour.
	Counters(ctx context.Context, tenant string, from, to time.Time) ([]Counter, error)
	// Rebuild computes both anew from the stored events, replaces what differs, and
	// returns how many aggregates and counters differed. Writers wait meanwhile.
	Rebuild(ctx context.Context) (differed int, err error)
}

// Store is all of it, as an adapter implements it; consumers take the part they use.
type Store interface {
	Writer
	Reader
	Leases
	Analytics
	// Check reports whether the store can be read and written now.
	Check(ctx context.Context) error
	Close() error
}
