package store

import (
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// tally is what distinct new events add to the counters and aggregates.
type tally struct {
	times      []int64 // of the events
	counters   counters
	aggregates aggregates
}

func (s *Store) tally(events []event.Event, stored time.Time) tally {
	t := tally{times: make([]int64, len(events)), counters: make(counters), aggregates: make(aggregates)}
	for i := range events {
		e := &events[i]
		t.times[i] = store.TimeOf(e, stored).UnixMilli()
		t.counters.add(e, t.times[i])
		if s.aggregate(e.Type()) {
			t.aggregates.add(e, t.times[i])
		}
	}
	return t
}

// write adds to the tables whose names begin with prefix.
func (t *tally) write(conn *sqlite.Conn, prefix string) error {
	if err := t.counters.write(conn, prefix); err != nil {
		return err
	}
	return t.aggregates.write(conn, prefix)
}
