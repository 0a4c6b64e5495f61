package metrics

import (
	"context"
	"fmt"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/internal/db"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Reader reads what recorders of any process have written. It is safe for concurrent use.
type Reader struct{ db *db.DB }

// OpenReader opens the file for reading; fs.ErrNotExist if no process has recorded yet.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	d, err := open(ctx, path, true)
	if err != nil {
		return nil, err
	}
	return &Reader{d}, nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.db.Close() }

// Point sums up the values of a metric over some time, in the metric's unit.
type Point struct {
	Start time.Time // of the time it covers; zero for Total
	Count int64     // values: one per event of a distribution, else one per invocation
	Sum   float64
	Min   float64 // 0 where Count is 0, as Max is
	Max   float64

	stat stat
}

// Average of the values, 0 without any.
func (p *Point) Average() float64 {
	if p.Count == 0 {
		return 0
	}
	return p.Sum / float64(p.Count)
}

// Percentile q (99 is p99) by nearest rank, within 1 %. ok is false where the metric is
// no distribution or has no values.
func (p *Point) Percentile(q float64) (v float64, ok bool) {
	if p.stat.hist == nil || p.stat.hist.Count() == 0 {
		return 0, false
	}
	v = float64(p.stat.hist.Quantile(q/100)) / float64(time.Millisecond)
	return min(max(v, p.Min), p.Max), true
}

func newPoint(start time.Time, s *stat) Point {
	return Point{Start: start, Count: s.count, Sum: s.sum, Min: s.min, Max: s.max, stat: *s}
}

// Query returns the values from one time (inclusive) to another (exclusive) in steps of
// the period, a whole number of seconds; steps begin at multiples of it since 1970, as
// CloudWatch's do. A step without values has no point. stage "" adds up all stages. Of
// the time that has been compacted, a value belongs to the start of its minute.
func (r *Reader) Query(ctx context.Context, metric, stage string, from, to time.Time, period time.Duration) ([]Point, error) {
	if err := check(metric, stage); err != nil {
		return nil, err
	}
	if period < time.Second || period%time.Second != 0 {
		return nil, fmt.Errorf("metrics: period %v is not a whole number of seconds", period)
	}
	step := int64(period / time.Second)
	var points []Point
	var last *stat
	err := r.rows(ctx, rangeQuery, []any{metric, stage, stage, ceil(from), ceil(to)}, func(start int64, s *stat) {
		at := time.Unix(floor(start, step), 0).UTC()
		if n := len(points); n > 0 && points[n-1].Start.Equal(at) {
			last.merge(s)
			points[n-1] = newPoint(at, last)
			return
		}
		last = s
		points = append(points, newPoint(at, s))
	})
	return points, err
}

// ceil is the first whole second not before t.
func ceil(t time.Time) int64 {
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	return s
}

// Total returns all values since the file was made, compacted and deleted points
// included. stage "" adds up all stages.
func (r *Reader) Total(ctx context.Context, metric, stage string) (Point, error) {
	if err := check(metric, stage); err != nil {
		return Point{}, err
	}
	var sum stat
	err := r.rows(ctx, totalQuery, []any{metric, stage, stage}, func(_ int64, s *stat) { sum.merge(s) })
	return newPoint(time.Time{}, &sum), err
}

// check refuses what would be empty for ever: an alarm on it would never fire.
func check(metric, stage string) error {
	for _, m := range spec.AWSMetrics {
		if m.Embedded && m.Key() == metric {
			return nil
		}
	}
	m, ok := spec.MetricByName(metric)
	switch {
	case !ok:
		return fmt.Errorf("metrics: there is no metric %q", metric)
	case stage != "" && !m.EmittedBy(stage):
		return fmt.Errorf("metrics: stage %q does not emit %s; these do: %s", stage, metric, strings.Join(m.Stages, ", "))
	}
	return nil
}

// The queries of Query and Total; the join is in the order that uses the keys of both.
const (
	pointsQuery = `
		SELECT p.start, p.count, p.sum, p.min, p.max, p.histogram
		FROM series s CROSS JOIN points p ON p.series = s.id
		WHERE s.metric = ? AND (? = '' OR s.stage = ?)`
	rangeQuery = pointsQuery + " AND p.period IN (1, 60) AND p.start >= ? AND p.start < ? ORDER BY p.start"
	totalQuery = pointsQuery + " AND p.period = 0"
)

// rows calls add with each row of the query.
func (r *Reader) rows(ctx context.Context, query string, args []any, add func(start int64, s *stat)) error {
	return r.db.Read(ctx, func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(row *sqlite.Stmt) error {
			s, err := scanStat(row, 1)
			if err != nil {
				return err
			}
			add(row.ColumnInt64(0), s)
			return nil
		}})
	})
}
