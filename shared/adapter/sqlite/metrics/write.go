package metrics

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/millrace-pipeline/millrace/shared/metric"
)

// write adds the values to their points and to the totals. What it writes depends on
// nothing but its argument and the file: db.Write may run it twice.
func (r *Recorder) write(ctx context.Context, all map[slot]stats) error {
	return r.db.Write(ctx, func(conn *sqlite.Conn) error {
		for at, of := range all {
			for name, s := range of {
				series, err := seriesID(conn, name, at.stage)
				if err != nil {
					return err
				}
				if err := addTo(conn, point{series, at.period, at.start}, s); err != nil {
					return err
				}
				if err := addTo(conn, point{series, allTime, 0}, s); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// point is the key of a row of points.
type point struct{ series, period, start int64 }

func seriesID(conn *sqlite.Conn, metric, stage string) (id int64, err error) {
	found := &sqlitex.ExecOptions{
		Args:       []any{metric, stage},
		ResultFunc: func(row *sqlite.Stmt) error { id = row.ColumnInt64(0); return nil },
	}
	if err := sqlitex.Execute(conn, "SELECT id FROM series WHERE metric = ? AND stage = ?", found); err != nil || id != 0 {
		return id, err
	}
	err = sqlitex.Execute(conn, "INSERT INTO series (metric, stage) VALUES (?, ?) RETURNING id", found)
	return id, err
}

// addTo adds s to the point, which need not be there. It leaves s unchanged.
func addTo(conn *sqlite.Conn, p point, s *stat) error {
	var blob any
	if s.hist != nil {
		sum, err := histogram(conn, p)
		if err != nil {
			return err
		}
		sum.Merge(s.hist)
		blob = sum.AppendBinary(nil)
	}
	return sqlitex.Execute(conn, `
		INSERT INTO points (series, period, start, count, sum, min, max, histogram) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET
			count = count + excluded.count, sum = sum + excluded.sum,
			min = min(min, excluded.min), max = max(max, excluded.max), histogram = excluded.histogram`,
		&sqlitex.ExecOptions{Args: []any{p.series, p.period, p.start, s.count, s.sum, s.min, s.max, blob}})
}

// histogram of the point, empty if it has none.
func histogram(conn *sqlite.Conn, p point) (h *metric.Histogram, err error) {
	h = new(metric.Histogram)
	err = sqlitex.Execute(conn, "SELECT histogram FROM points WHERE series = ? AND period = ? AND start = ?", &sqlitex.ExecOptions{
		Args: []any{p.series, p.period, p.start},
		ResultFunc: func(row *sqlite.Stmt) (err error) {
			h, err = scanHistogram(row, 0)
			return err
		},
	})
	return h, err
}

// scanHistogram reads a column that may be NULL.
func scanHistogram(row *sqlite.Stmt, column int) (*metric.Histogram, error) {
	if row.ColumnType(column) == sqlite.TypeNull {
		return new(metric.Histogram), nil
	}
	b := make([]byte, row.ColumnLen(column))
	row.ColumnBytes(column, b)
	h, err := metric.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return h, nil
}

const (
	oldestQuery = "SELECT start FROM points WHERE period = ? ORDER BY start LIMIT 1"
	minuteQuery = "SELECT series, count, sum, min, max, histogram FROM points WHERE period = ? AND start >= ? AND start < ?"
	mergedQuery = "DELETE FROM points WHERE period = ? AND start >= ? AND start < ?"
	deleteQuery = "DELETE FROM points WHERE period = ? AND start < ?"
)

// compact makes minutes of the seconds that are old enough, and deletes old minutes.
// Each minute is a transaction of its own, so that no other writer waits long.
func (r *Recorder) compact(ctx context.Context, now time.Time) error {
	end := now.Add(-keptAsSecond).Truncate(minute * time.Second).Unix()
	for {
		oldest, ok, err := r.oldestSecond(ctx)
		if err != nil {
			return err
		}
		if !ok || oldest >= end {
			break
		}
		start := floor(oldest, minute)
		if err := r.db.Write(ctx, func(conn *sqlite.Conn) error { return compactMinute(conn, start) }); err != nil {
			return err
		}
	}
	return r.db.Write(ctx, func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, deleteQuery,
			&sqlitex.ExecOptions{Args: []any{minute, now.Add(-keptAsMinute).Unix()}})
	})
}

// oldestSecond is the start of the oldest point of a second.
func (r *Recorder) oldestSecond(ctx context.Context) (start int64, ok bool, err error) {
	err = r.db.Read(ctx, func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, oldestQuery, &sqlitex.ExecOptions{
			Args:       []any{second},
			ResultFunc: func(row *sqlite.Stmt) error { start, ok = row.ColumnInt64(0), true; return nil },
		})
	})
	return start, ok, err
}

// floor is the last multiple of step that is not after t.
func floor(t, step int64) int64 { return t - ((t%step)+step)%step }

func compactMinute(conn *sqlite.Conn, start int64) error {
	of := make(map[int64]*stat) // by series
	args := []any{second, start, start + minute}
	err := sqlitex.Execute(conn, minuteQuery,
		&sqlitex.ExecOptions{Args: args, ResultFunc: func(row *sqlite.Stmt) error {
			s, err := scanStat(row, 1)
			if err != nil {
				return err
			}
			series := row.ColumnInt64(0)
			if of[series] == nil {
				of[series] = new(stat)
			}
			of[series].merge(s)
			return nil
		}})
	if err != nil {
		return err
	}
	for series, s := range of {
		if err := addTo(conn, point{series, minute, start}, s); err != nil {
			return err
		}
	}
	return sqlitex.Execute(conn, mergedQuery, &sqlitex.ExecOptions{Args: args})
}

// scanStat reads count, sum, min, max and histogram from the column on.
func scanStat(row *sqlite.Stmt, column int) (*stat, error) {
	s := &stat{
		count: row.ColumnInt64(column), sum: row.ColumnFloat(column + 1),
		min: row.ColumnFloat(column + 2), max: row.ColumnFloat(column + 3),
	}
	if row.ColumnType(column+4) == sqlite.TypeNull {
		return s, nil
	}
	h, err := scanHistogram(row, column+4)
	s.hist = h
	return s, err
}
