package store

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

const (
	sqlNumber  = `SELECT number FROM event WHERE id = ? AND source = ?`
	sqlNumbers = `SELECT number FROM event WHERE id = ? LIMIT 2`
)

// Get implements store.Reader.
func (s *Store) Get(ctx context.Context, key event.Key) (store.Record, error) {
	var rec store.Record
	err := s.db.Read(ctx, func(conn *sqlite.Conn) (err error) {
		if key.Source == "" {
			rec, err = getByID(conn, key.ID)
		} else {
			rec, err = getByKey(conn, key)
		}
		return err
	})
	if err != nil {
		return store.Record{}, failed(err, "get event")
	}
	return rec, nil
}

func getByKey(conn *sqlite.Conn, key event.Key) (store.Record, error) {
	number, ok, err := findNumber(conn, key)
	if err != nil {
		return store.Record{}, err
	}
	if ok {
		return storedRecord(conn, number)
	}
	rec, ok, err := leasedRecord(conn, key)
	if err == nil && !ok {
		err = store.ErrNotFound
	}
	return rec, err
}

// findNumber of a stored event.
func findNumber(conn *sqlite.Conn, key event.Key) (number int64, ok bool, err error) {
	source, ok, err := findSource(conn, key.Source)
	if err != nil || !ok {
		return 0, false, err
	}
	ok = false
	err = query(conn, sqlNumber, func(row *sqlite.Stmt) error {
		number, ok = row.ColumnInt64(0), true
		return nil
	}, key.ID, source)
	return number, ok, err
}

func getByID(conn *sqlite.Conn, id string) (store.Record, error) {
	var numbers []int64
	err := query(conn, sqlNumbers, func(row *sqlite.Stmt) error {
		numbers = append(numbers, row.ColumnInt64(0))
		return nil
	}, id)
	if err != nil {
		return store.Record{}, err
	}
	leased, err := leasedSources(conn, id)
	switch {
	case err != nil:
		return store.Record{}, err
	case len(numbers)+len(leased) > 1:
		return store.Record{}, store.ErrAmbiguous
	case len(numbers) == 1:
		return storedRecord(conn, numbers[0])
	case len(leased) == 1:
		rec, _, err := leasedRecord(conn, event.Key{Source: leased[0], ID: id})
		return rec, err
	default:
		return store.Record{}, store.ErrNotFound
	}
}

func storedRecord(conn *sqlite.Conn, number int64) (store.Record, error) {
	seg, err := segmentOf(conn, number)
	if err != nil {
		return store.Record{}, err
	}
	if seg.events == nil {
		return store.Record{}, fmt.Errorf("segment of event %d: %w", number, errDamaged)
	}
	return seg.record(int(number - seg.first))
}

// record is the segment's i-th event as the store knows it.
func (s *stored) record(i int) (store.Record, error) {
	e, err := s.event(i)
	if err != nil {
		return store.Record{}, err
	}
	return store.Record{Event: e, Status: store.Completed, Received: e.Received(), Stored: fromMillis(s.at)}, nil
}
