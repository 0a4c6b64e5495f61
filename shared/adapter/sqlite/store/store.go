// Package store is the embedded event store: store.Store on one SQLite file, layout
// segments.
//
// What is not obvious:
//   - The events of a Write are one compressed blob, a segment (segment.go). The only row
//     per event is its key, in the table event. Everything else is per segment: the
//     attributes that events are filtered by, in columns (columns.go), and an index of
//     which segments have which values (terms.go). So a Write costs about 5 µs of CPU an
//     event, in a store of three million events as in one of 100,000, as long as
//     producers' ids grow with time. A row per event with an SQL index per filter took
//     five times as long, and more as it grew. Random ids cost about 25 µs at a million
//     events: each falls into a page of its own.
//   - A listing finds the segments that can have matching events through an index, newest
//     first, and stops when no further one can have a newer event than those found
//     (list.go).
//   - New segments are open; their terms and counters are summed up many at a time
//     (seal.go).
//   - Counters and aggregates change in the transaction that stores the events, by what
//     is new in it: they cannot count an event twice. An aggregate is a row, about 20 µs
//     an event where each event has its own subject.
//   - An event that has only been leased (delivery rule 9) is in the table lease until it
//     is stored; listings merge both (leased.go).
//   - Blobs have checksums: a damaged page is an error, never an event (frame.go).
package store

import (
	"context"
	"errors"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/internal/db"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Options of Open. The zero value of a field means its default.
type Options struct {
	Aggregate func(eventType string) bool // the types that ask for aggregates; nil: none
	Now       func() time.Time            // default time.Now
	MustExist bool                        // refuse to make a new file: fs.ErrNotExist
}

// Store is an open event store. It is safe for concurrent use; several processes may
// have the file open.
type Store struct {
	db        *db.DB
	aggregate func(string) bool
	now       func() time.Time
	layout    layout
	encoders  encoderPool
	sources   sources
}

var _ store.Store = (*Store)(nil)

// Open opens the event store in the file path and makes it if it is missing. Its
// directory must exist. The errors say what an operator can do.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	return open(ctx, path, o, db.SyncFull)
}

func open(ctx context.Context, path string, o Options, sync db.Sync) (*Store, error) {
	d, err := db.Open(ctx, path, db.Options{
		Migrations:    migrations,
		ApplicationID: applicationID,
		MustExist:     o.MustExist,
		Sync:          sync,
		CacheBytes:    cacheBytes,
	})
	if err != nil {
		return nil, err
	}
	s := &Store{db: d, aggregate: o.Aggregate, now: o.Now, layout: defaultLayout, encoders: make(encoderPool, idleEncoders)}
	if s.aggregate == nil {
		s.aggregate = func(string) bool { return false }
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// cacheBytes of each connection: the pages of the key table that new ids fall into.
const cacheBytes = 32 << 20

// Close ends the running calls and closes the file. Calls after it return an error.
func (s *Store) Close() error { return s.db.Close() }

const sqlHeartbeat = `INSERT INTO heartbeat (id, at) VALUES (1, ?) ON CONFLICT DO UPDATE SET at = excluded.at`

// Check implements store.Store: it writes a row and reads it back.
func (s *Store) Check(ctx context.Context) error {
	at := s.now().UnixMilli()
	err := s.db.Write(ctx, func(conn *sqlite.Conn) error { return exec(conn, sqlHeartbeat, at) })
	if err != nil {
		return failed(err, "check store")
	}
	err = s.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, `SELECT at FROM heartbeat WHERE id = 1`, func(*sqlite.Stmt) error { return nil })
	})
	return failed(err, "check store")
}

// failed classifies an error of the file. The contract's own errors pass unchanged.
func failed(err error, op string) error {
	for _, known := range []error{store.ErrNotFound, store.ErrAmbiguous, store.ErrBadCursor} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fault.Wrap(err, fault.StoreUnavailable, op)
}
