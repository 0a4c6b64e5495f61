package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

const (
	// keyRows is how many keys one INSERT has: a third faster than one by one, and more
	// gain nothing.
	keyRows = 10

	sqlNext       = `SELECT first + count FROM segment WHERE first = (SELECT max(first) FROM segment)`
	sqlAddKey     = `INSERT OR IGNORE INTO event (id, source, number) VALUES (?, ?, ?)`
	sqlMoveKey    = `UPDATE event SET number = ? WHERE id = ? AND source = ?`
	sqlAddSegment = `INSERT INTO segment (first, count, min_time, max_time, stored, attributes, ids, events) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
)

var sqlAddKeys = sqlAddKey + strings.Repeat(`, (?, ?, ?)`, keyRows-1)

// batch is what a Write adds to the file, besides the keys.
type batch struct {
	segments   []segment
	aggregates aggregates
}

// prepare makes a batch of distinct new events. It lasts as long as w does.
func (s *Store) prepare(w *encoder, events []event.Event, stored time.Time) batch {
	var b batch
	times := make([]int64, len(events))
	for i := range events {
		times[i] = store.TimeOf(&events[i], stored).UnixMilli()
	}
	b.aggregates = s.sumUp(events, times)
	for len(events) > 0 {
		n := s.layout.split(events)
		b.segments = append(b.segments, w.encode(events[:n], times[:n]))
		events, times = events[n:], times[n:]
	}
	return b
}

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
	enc := s.encoders.get()
	defer s.encoders.put(enc)
	ready := s.prepare(enc, valid, stored)
	var found map[string]int64
	err := s.db.Write(ctx, func(conn *sqlite.Conn) error {
		w := batchWriter{conn: conn, layout: &s.layout, sources: s.sources.in(conn)}
		fresh, err := w.claim(valid)
		if err != nil {
			return err
		}
		found = w.sources.found
		for i, f := range fresh {
			results[index(i)].Duplicate = !f
		}
		todo, events := ready, valid
		if n := countTrue(fresh); n < len(valid) {
			events = keep(valid, fresh, n)
			todo = s.prepare(enc, events, stored)
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
	isEmpty := func(e event.Event) bool { return len(e.JSON()) == 0 }
	if !slices.ContainsFunc(events, isEmpty) {
		return events, func(i int) int { return i }
	}
	var places []int
	for i := range events {
		if isEmpty(events[i]) {
			results[i].Err = fault.New(fault.StoreRejected, "the event is empty")
			continue
		}
		valid, places = append(valid, events[i]), append(places, i)
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

// batchWriter writes one batch in a transaction.
type batchWriter struct {
	conn    *sqlite.Conn
	layout  *layout
	sources batchSources
	next    int64 // the number of the first new event
}

// claim writes the events' keys and says which events are new. New events get
// consecutive numbers from next on.
func (w *batchWriter) claim(events []event.Event) (fresh []bool, err error) {
	err = query(w.conn, sqlNext, func(row *sqlite.Stmt) error {
		w.next = row.ColumnInt64(0)
		return nil
	})
	if err != nil {
		return nil, err
	}
	many, err := w.conn.Prepare(sqlAddKeys)
	if err != nil {
		return nil, err
	}
	one, err := w.conn.Prepare(sqlAddKey)
	if err != nil {
		return nil, err
	}
	fresh = make([]bool, len(events))
	number := w.next
	for at := 0; at < len(events); {
		n, stmt := keyRows, many
		if len(events)-at < keyRows {
			n, stmt = 1, one
		}
		added, err := w.addKeys(stmt, events[at:at+n], number)
		if err != nil {
			return nil, err
		}
		if added == n {
			for i := range n {
				fresh[at+i] = true
			}
		} else if added > 0 {
			if err := w.tellApart(events[at:at+n], number, fresh[at:at+n]); err != nil {
				return nil, err
			}
		}
		number += int64(added)
		at += n
	}
	return fresh, nil
}

// addKeys adds the keys that are not there yet, numbered from number on as if none were.
func (w *batchWriter) addKeys(stmt *sqlite.Stmt, events []event.Event, number int64) (added int, err error) {
	for i := range events {
		source, err := w.sources.id(events[i].Source())
		if err != nil {
			return 0, err
		}
		stmt.BindText(3*i+1, events[i].ID())
		stmt.BindInt64(3*i+2, source)
		stmt.BindInt64(3*i+3, number+int64(i))
	}
	if _, err := stmt.Step(); err != nil {
		return 0, err
	}
	return w.conn.Changes(), stmt.Reset()
}

// tellApart finds which of the events addKeys has added: those that have the number they
// were given. It closes the gaps that the others left.
func (w *batchWriter) tellApart(events []event.Event, number int64, fresh []bool) error {
	next := number
	for i := range events {
		id := events[i].ID()
		source, err := w.sources.id(events[i].Source())
		if err != nil {
			return err
		}
		given := number + int64(i)
		err = query(w.conn, sqlNumber, func(row *sqlite.Stmt) error {
			fresh[i] = row.ColumnInt64(0) == given
			return nil
		}, id, source)
		if err != nil {
			return err
		}
		if !fresh[i] {
			continue
		}
		if given != next {
			if err := exec(w.conn, sqlMoveKey, next, id, source); err != nil {
				return err
			}
		}
		next++
	}
	return nil
}

// store writes everything but the keys.
func (w *batchWriter) store(b batch, stored int64) error {
	first := w.next
	for _, seg := range b.segments {
		err := exec(w.conn, sqlAddSegment, first, seg.count, seg.minTime, seg.maxTime, stored, seg.attributes, seg.ids, seg.events)
		if err != nil {
			return err
		}
		next := first + int64(seg.count)
		if err := addOpen(w.conn, w.layout, first, seg.terms, next); err != nil {
			return err
		}
		first = next
	}
	return newAggregateWriter(w.conn, &w.sources, "aggregate").write(b.aggregates)
}
