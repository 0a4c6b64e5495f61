package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

type subjectKey struct{ source, subject string }

func (a subjectKey) compare(b subjectKey) int {
	return cmp.Or(strings.Compare(a.source, b.source), strings.Compare(a.subject, b.subject))
}

// summary is the aggregate of the new events of one source and subject in a batch.
type summary struct {
	version     int64
	first, last int64
	latest      *event.Event
	byType      map[string]int64
}

type aggregates map[subjectKey]*summary

// sumUp makes the aggregates of new events of the types that ask for it.
func (s *Store) sumUp(events []event.Event, times []int64) aggregates {
	a := make(aggregates)
	for i := range events {
		if e := &events[i]; s.aggregate(e.Type()) {
			a.add(e, times[i])
		}
	}
	return a
}

func (a aggregates) add(e *event.Event, ms int64) {
	k := subjectKey{e.Source(), e.Subject()}
	s := a[k]
	if s == nil {
		s = &summary{first: ms, byType: make(map[string]int64, 1)}
		a[k] = s
	}
	s.version++
	s.byType[e.Type()]++
	s.first = min(s.first, ms)
	if s.latest == nil || ms > s.last || ms == s.last && e.ID() > s.latest.ID() {
		s.last, s.latest = ms, e
	}
}

func sqlAddAggregate(prefix string) string {
	const newer = `(excluded.last_time, excluded.latest_id) > (a.last_time, a.latest_id)`
	set := func(column string) string {
		return column + ` = CASE WHEN ` + newer + ` THEN excluded.` + column + ` ELSE a.` + column + ` END`
	}
	return `INSERT INTO ` + prefix + `aggregate AS a
		(source, subject, version, first_time, last_time, latest_id, latest_type, latest_data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET
			version = a.version + excluded.version,
			first_time = min(a.first_time, excluded.first_time),
			` + set("last_time") + `, ` + set("latest_id") + `, ` + set("latest_type") + `, ` + set("latest_data")
}

func sqlAddAggregateType(prefix string) string {
	return `INSERT INTO ` + prefix + `aggregate_type AS a (source, subject, type, count) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET count = a.count + excluded.count`
}

// write adds the summaries to the tables whose names begin with prefix.
func (a aggregates) write(conn *sqlite.Conn, prefix string) error {
	sqlAggregate, sqlType := sqlAddAggregate(prefix), sqlAddAggregateType(prefix)
	for _, k := range slices.SortedFunc(maps.Keys(a), subjectKey.compare) {
		s := a[k]
		err := exec(conn, sqlAggregate, k.source, k.subject, s.version, s.first, s.last, s.latest.ID(), s.latest.Type(), s.latest.Data())
		if err != nil {
			return err
		}
		for typ, n := range s.byType {
			if err := exec(conn, sqlType, k.source, k.subject, typ, n); err != nil {
				return err
			}
		}
	}
	return nil
}

const (
	sqlAggregate      = `SELECT version, first_time, last_time, latest_id, latest_type, latest_data FROM aggregate WHERE source = ? AND subject = ?`
	sqlAggregateTypes = `SELECT type, count FROM aggregate_type WHERE source = ? AND subject = ?`
)

// Aggregate implements store.Analytics.
func (s *Store) Aggregate(ctx context.Context, source, subject string) (store.Aggregate, error) {
	var a store.Aggregate
	err := s.db.Read(ctx, func(conn *sqlite.Conn) error {
		a = store.Aggregate{Source: source, Subject: subject, ByType: make(map[string]int64)}
		err := query(conn, sqlAggregate, func(row *sqlite.Stmt) error {
			a.Version = row.ColumnInt64(0)
			a.First, a.Last = fromMillis(row.ColumnInt64(1)), fromMillis(row.ColumnInt64(2))
			a.LatestID, a.LatestType, a.LatestData = row.ColumnText(3), row.ColumnText(4), blob(row, 5)
			return nil
		}, source, subject)
		if err != nil {
			return err
		}
		if a.Version == 0 {
			return store.ErrNotFound
		}
		return query(conn, sqlAggregateTypes, func(row *sqlite.Stmt) error {
			a.ByType[row.ColumnText(0)] = row.ColumnInt64(1)
			return nil
		}, source, subject)
	})
	if err != nil {
		return store.Aggregate{}, failed(err, "read aggregate")
	}
	return a, nil
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
