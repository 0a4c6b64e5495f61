package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
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

// summary is the aggregate of some events of one source and subject.
type summary struct {
	version     int64
	first, last int64
	types       map[string]int64
	latest      latest
}

// latest is the event with the greatest time, which is the summary's last, and id.
type latest struct {
	id, typ string
	data    []byte
}

type aggregates map[subjectKey]*summary

// sumUp makes the aggregates of new events of the types that ask for it.
func (s *Store) sumUp(events []event.Event, times []int64) aggregates {
	a := make(aggregates)
	for i := range events {
		e := &events[i]
		if !s.aggregate(e.Type()) {
			continue
		}
		k := subjectKey{e.Source(), e.Subject()}
		sum := a[k]
		if sum == nil {
			sum = &summary{first: times[i], last: math.MinInt64, types: make(map[string]int64, 1)}
			a[k] = sum
		}
		sum.version++
		sum.types[e.Type()]++
		sum.first = min(sum.first, times[i])
		sum.offer(times[i], latest{e.ID(), e.Type(), e.Data()})
	}
	return a
}

// offer makes l, of a time, the latest if it is, and says so.
func (s *summary) offer(ms int64, l latest) bool {
	if ms < s.last || ms == s.last && l.id <= s.latest.id {
		return false
	}
	s.last, s.latest = ms, l
	return true
}

const (
	sqlAggregate = `SELECT version, first_time, last_time, types, latest_id, latest_type, latest_data
		FROM aggregate WHERE subject = ? AND source = ?`

	// With the name of the table, which differs in a rebuild.
	sqlFindSummary = `SELECT id, version, first_time, last_time, types, latest_id FROM %s WHERE subject = ? AND source = ?`
	sqlAddSummary  = `INSERT INTO %s (source, subject, version, first_time, last_time, types, latest_id, latest_type, latest_data)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlSetSums   = `UPDATE %s SET version = ?, first_time = ?, types = ? WHERE id = ?`
	sqlSetLatest = `UPDATE %s SET last_time = ?, latest_id = ?, latest_type = ?, latest_data = ? WHERE id = ?`
)

// aggregateWriter adds to the aggregates in a table.
type aggregateWriter struct {
	conn                          *sqlite.Conn
	sources                       *batchSources
	find, add, setSums, setLatest string
}

func newAggregateWriter(conn *sqlite.Conn, sources *batchSources, table string) *aggregateWriter {
	return &aggregateWriter{
		conn: conn, sources: sources,
		find: fmt.Sprintf(sqlFindSummary, table), add: fmt.Sprintf(sqlAddSummary, table),
		setSums: fmt.Sprintf(sqlSetSums, table), setLatest: fmt.Sprintf(sqlSetLatest, table),
	}
}

// write adds what is new to what there is.
func (w *aggregateWriter) write(a aggregates) error {
	for _, k := range slices.SortedFunc(maps.Keys(a), subjectKey.compare) {
		source, err := w.sources.id(k.source)
		if err != nil {
			return err
		}
		if err := w.merge(source, k.subject, a[k]); err != nil {
			return err
		}
	}
	return nil
}

func (w *aggregateWriter) merge(source int64, subject string, added *summary) error {
	var sum summary
	var id int64
	var types string
	err := query(w.conn, w.find, func(row *sqlite.Stmt) error {
		id, types = row.ColumnInt64(0), row.ColumnText(4)
		sum = summary{version: row.ColumnInt64(1), first: row.ColumnInt64(2), last: row.ColumnInt64(3), latest: latest{id: row.ColumnText(5)}}
		return nil
	}, subject, source)
	if err != nil {
		return err
	}
	if sum.version == 0 {
		l := added.latest
		return exec(w.conn, w.add, source, subject, added.version, added.first, added.last, typesJSON(added.types), l.id, l.typ, l.data)
	}
	if sum.types, err = parseTypes(types); err != nil {
		return err
	}
	for typ, n := range added.types {
		sum.types[typ] += n
	}
	err = exec(w.conn, w.setSums, sum.version+added.version, min(sum.first, added.first), typesJSON(sum.types), id)
	if err != nil || !sum.offer(added.last, added.latest) {
		return err
	}
	return exec(w.conn, w.setLatest, sum.last, sum.latest.id, sum.latest.typ, sum.latest.data, id)
}

// typesJSON is the same for the same counts: encoding/json sorts the keys.
func typesJSON(types map[string]int64) string {
	b, err := json.Marshal(types)
	if err != nil {
		panic(err) // a map of integers always marshals
	}
	return string(b)
}

func parseTypes(s string) (map[string]int64, error) {
	var types map[string]int64
	if err := json.Unmarshal([]byte(s), &types); err != nil {
		return nil, fmt.Errorf("types of an aggregate: %w: %w", errDamaged, err)
	}
	return types, nil
}

// Aggregate implements store.Analytics.
func (s *Store) Aggregate(ctx context.Context, source, subject string) (store.Aggregate, error) {
	a := store.Aggregate{Source: source, Subject: subject}
	err := s.db.Read(ctx, func(conn *sqlite.Conn) error {
		number, ok, err := findSource(conn, source)
		if err != nil || !ok {
			return err
		}
		return query(conn, sqlAggregate, func(row *sqlite.Stmt) (err error) {
			a.Version = row.ColumnInt64(0)
			a.First, a.Last = fromMillis(row.ColumnInt64(1)), fromMillis(row.ColumnInt64(2))
			a.ByType, err = parseTypes(row.ColumnText(3))
			a.LatestID, a.LatestType, a.LatestData = row.ColumnText(4), row.ColumnText(5), blob(row, 6)
			return err
		}, subject, number)
	})
	switch {
	case err != nil:
		return store.Aggregate{}, failed(err, "read aggregate")
	case a.Version == 0:
		return store.Aggregate{}, store.ErrNotFound
	}
	return a, nil
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
