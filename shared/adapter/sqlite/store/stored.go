package store

import (
	"cmp"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// stored is a segment as it is in the file.
type stored struct {
	first   int64 // its number
	at      int64 // when it was written
	columns columns
	events  []byte
}

const sqlSegmentOf = `SELECT first, stored, attributes, events FROM segment WHERE first <= ? ORDER BY first DESC LIMIT 1`

// load decodes the segment's blobs; events may be nil when they are not needed.
func (s *stored) load(attributes, events []byte) error {
	raw, err := unseal(attributes)
	if err != nil {
		return s.damaged("attributes", err)
	}
	if s.columns, err = parseColumns(raw); err != nil {
		return s.damaged("attributes", err)
	}
	if events == nil {
		return nil
	}
	if s.events, err = unseal(events); err != nil {
		return s.damaged("events", err)
	}
	return nil
}

func (s *stored) damaged(what string, err error) error {
	return fmt.Errorf("%s of segment %d: %w", what, s.first, err)
}

func damagedSegment(first int64, err error) error {
	return fmt.Errorf("segment %d: %w", first, cmp.Or(err, errDamaged))
}

// event is the i-th event, a copy of its bytes in the segment.
func (s *stored) event(i int) (event.Event, error) {
	if i >= s.columns.count {
		return event.Event{}, s.damaged("attributes", errDamaged)
	}
	from, to, err := s.columns.span(i)
	if err != nil || from > to || to > len(s.events) {
		return event.Event{}, s.damaged("events", errDamaged)
	}
	e, err := event.Parse(append([]byte(nil), s.events[from:to]...))
	if err != nil {
		return event.Event{}, s.damaged("events", fmt.Errorf("%w: %w", errDamaged, err))
	}
	return e, nil
}

// all events of the segment, views of its bytes, and their times.
func (s *stored) all() ([]event.Event, []int64, error) {
	offsets, err := s.columns.offsets()
	if err != nil || offsets[len(offsets)-1] != len(s.events) {
		return nil, nil, s.damaged("attributes", errDamaged)
	}
	times, err := s.columns.times()
	if err != nil {
		return nil, nil, s.damaged("attributes", err)
	}
	out := make([]event.Event, s.columns.count)
	for i := range out {
		if out[i], err = event.Parse(s.events[offsets[i]:offsets[i+1]:offsets[i+1]]); err != nil {
			return nil, nil, s.damaged("events", fmt.Errorf("%w: %w", errDamaged, err))
		}
	}
	return out, times, nil
}

// segmentOf loads the segment that has the event with a number.
func segmentOf(conn *sqlite.Conn, number int64) (seg stored, err error) {
	err = query(conn, sqlSegmentOf, func(row *sqlite.Stmt) error {
		seg.first, seg.at = row.ColumnInt64(0), row.ColumnInt64(1)
		return seg.load(blob(row, 2), blob(row, 3))
	}, number)
	return seg, err
}
