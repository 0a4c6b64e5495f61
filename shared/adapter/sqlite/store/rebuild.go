package store

import (
	"context"
	"strings"

	"zombiezen.com/go/sqlite"
)

// rebuilt begins the names of the tables that a rebuild fills. They live within its
// transaction.
const rebuilt = "rebuilt_"

// summed are the tables that Write keeps besides the events.
var summed = []string{"counter", "aggregate"}

const (
	sqlSchema      = `SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?`
	sqlAllSegments = `SELECT first, stored, attributes, events FROM segment`

	sqlDifferingCounters = `SELECT count(*)
		FROM counter AS c FULL JOIN rebuilt_counter AS r USING (hour, tenant, type)
		WHERE c.count IS NOT r.count`
	sqlDifferingAggregates = `SELECT count(*)
		FROM aggregate AS a FULL JOIN rebuilt_aggregate AS r USING (subject, source)
		WHERE (a.version, a.first_time, a.last_time, a.types, a.latest_id, a.latest_type, a.latest_data)
			IS NOT (r.version, r.first_time, r.last_time, r.types, r.latest_id, r.latest_type, r.latest_data)`
)

// Rebuild implements store.Analytics. It sums up the segments as Write did, into tables
// beside the real ones, and replaces these if they differ, all in one transaction.
func (s *Store) Rebuild(ctx context.Context) (differed int, err error) {
	err = s.db.Write(ctx, func(conn *sqlite.Conn) error {
		for _, table := range summed {
			if err := createRebuilt(conn, table); err != nil {
				return err
			}
		}
		if err := s.sumUpAll(conn); err != nil {
			return err
		}
		if differed, err = countDiffering(conn); err != nil {
			return err
		}
		for _, table := range summed {
			if err := replaceByRebuilt(conn, table, differed > 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, failed(err, "rebuild counters and aggregates")
	}
	return differed, nil
}

func createRebuilt(conn *sqlite.Conn, table string) error {
	var sql string
	err := query(conn, sqlSchema, func(row *sqlite.Stmt) error {
		sql = row.ColumnText(0)
		return nil
	}, table)
	if err != nil {
		return err
	}
	return exec(conn, strings.Replace(sql, "CREATE TABLE ", "CREATE TABLE "+rebuilt, 1))
}

// sumUpAll fills the rebuilt tables, one segment at a time.
func (s *Store) sumUpAll(conn *sqlite.Conn) error {
	open, err := sealedBefore(conn)
	if err != nil {
		return err
	}
	sources := s.sources.in(conn)
	w := newAggregateWriter(conn, &sources, rebuilt+"aggregate")
	return query(conn, sqlAllSegments, func(row *sqlite.Stmt) error {
		seg := stored{first: row.ColumnInt64(0), at: row.ColumnInt64(1)}
		if err := seg.load(blob(row, 2), blob(row, 3)); err != nil {
			return err
		}
		if seg.first < open {
			sum := make(counters)
			if err := sum.addColumns(&seg.columns); err != nil {
				return damagedSegment(seg.first, err)
			}
			if err := sum.write(conn, rebuilt+"counter"); err != nil {
				return err
			}
		}
		events, times, err := seg.all()
		if err != nil {
			return err
		}
		return w.write(s.sumUp(events, times))
	})
}

func countDiffering(conn *sqlite.Conn) (n int, err error) {
	for _, sql := range []string{sqlDifferingCounters, sqlDifferingAggregates} {
		err = query(conn, sql, func(row *sqlite.Stmt) error {
			n += row.ColumnInt(0)
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

func replaceByRebuilt(conn *sqlite.Conn, table string, differs bool) error {
	if differs {
		if err := exec(conn, `DELETE FROM `+table); err != nil {
			return err
		}
		if err := exec(conn, `INSERT INTO `+table+` SELECT * FROM `+rebuilt+table); err != nil {
			return err
		}
	}
	return exec(conn, `DROP TABLE `+rebuilt+table)
}
