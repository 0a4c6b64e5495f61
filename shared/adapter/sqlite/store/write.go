package store

import (
	"context"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

const (
	// keyRows is how many keys one INSERT has: a third faster than one by one, and more
	// gain nothing.
	keyRows = 10

	sqlNext       = `SELECT first + count FROM segment WHERE first >= 0 ORDER BY first DESC LIMIT 1`
	sqlAddKey     = `INSERT OR IGNORE INTO event (id, source, number) VALUES (?, ?, ?)`
	sqlKey        = `SELECT number FROM event WHERE id = ? AND source = ?`
	sqlMoveKey    = `UPDATE event SET number = ? WHERE id = ? AND source = ?`
	sqlAddSegment = `INSERT INTO segment (first, count, min_time, max_time, stored, attributes, ids, events) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
)

var sqlAddKeys = sqlAddKey + strings.Repeat(`, (?, ?, ?)`, keyRows-1)

// Write implements store.Writer. The events are encoded before the transaction, as if
// all were new, so that the file's one writer has less to do; where some are not, what is
// new is encoded again.
func (s *Store) Write(ctx context.Context, events []event.Event) ([]store.Result, error) {
	if len(events) == 0 {
		return nil, nil
	}
	results := make([]store.Result, len(events))
	valid, index := validEvents(events, results)
	stored := s.now()
	ready := s.prepare(valid, stored)
	var found map[string]int64
	err := s.db.Write(ctx, func(conn *sqlite.Conn) error {
		w := batchWriter{conn: conn, sources: batchSources{conn: conn, all: &s.sources, found: make(map[string]int64)}}
		fresh, err := w.claim(valid)
		if err != nil {
			return err
		}
		found = w.sources.found
		todo, events := ready, valid
		if n := countTrue(fresh); n < len(valid) {
			events = keep(valid, fresh, n)
			todo = s.prepare(events, stored)
		}
		for i, f := range fresh {
			results[index(i)].Duplicate = !f
		}
		if err := markStored(conn, events); err != nil {
			return err
		}
		return w.store(todo, stored.UnixMilli())
	})
	if err != nil {
		return nil, failed(err, "store write")
	}
	s.sources.learn(found)
	return results, nil
}

// validEvents are the events without those that are none, which get their error;
// index gives the place in the batch of the i-th of them.
func validEvents(events []event.Event, results []store.Result) (valid []event.Event, index func(i int) int) {
	var places []int
	for i := range events {
		if len(events[i].JSON()) > 0 {
			places = append(places, i)
			continue
		}
		results[i].Err = fault.New(fault.StoreRejected, "the batch has an event that is empty")
	}
	if len(places) == len(events) {
		return events, func(i int) int { return i }
	}
	for _, i := range places {
		valid = append(valid, events[i])
	}
	return valid, func(i int) int { return places[i] }
}

func keep(events []event.Event, fresh []bool, n int) []event.Event {
	out := make([]event.Event, 0, n)
	for i, f := range fresh {
		if f {
			out = append(out, events[i])
		}
	}
	return out
}

func countTrue(bs []bool) (n int) {
	for _, b := range bs {
		if b {
			n++
		}
	}
	return n
}
