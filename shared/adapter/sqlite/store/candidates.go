package store

import (
	"cmp"
	"errors"
	"slices"

	"zombiezen.com/go/sqlite"
)

// candidate is a segment that can have events that match.
type candidate struct {
	first            int64
	count            int
	minTime, maxTime int64
}

const (
	sqlSegmentsByTime = `SELECT first, count, min_time, max_time FROM segment WHERE max_time >= ? AND min_time < ? ORDER BY max_time DESC`
	sqlSegmentTimes   = `SELECT first, count, min_time, max_time FROM segment WHERE first = ?`
)

// errStop ends eachCandidate early.
var errStop = errors.New("stop")

// eachCandidate calls fn for the segments that can have stored events that match c,
// those with the newest event first, until fn returns an error; errStop is none.
func eachCandidate(conn *sqlite.Conn, c *criteria, fn func(candidate) error) error {
	var err error
	if len(c.terms) == 0 {
		err = query(conn, sqlSegmentsByTime, func(row *sqlite.Stmt) error { return fn(scanCandidate(row)) }, c.lo, c.hi)
	} else {
		err = eachWithTerms(conn, c, fn)
	}
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

func scanCandidate(row *sqlite.Stmt) candidate {
	return candidate{row.ColumnInt64(0), row.ColumnInt(1), row.ColumnInt64(2), row.ColumnInt64(3)}
}

func eachWithTerms(conn *sqlite.Conn, c *criteria, fn func(candidate) error) error {
	numbers, err := segmentsWith(conn, c.terms)
	if err != nil {
		return err
	}
	found := make([]candidate, 0, len(numbers))
	for _, first := range numbers {
		err := query(conn, sqlSegmentTimes, func(row *sqlite.Stmt) error {
			if s := scanCandidate(row); s.maxTime >= c.lo && s.minTime < c.hi {
				found = append(found, s)
			}
			return nil
		}, first)
		if err != nil {
			return err
		}
	}
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Compare(b.maxTime, a.maxTime) })
	for _, s := range found {
		if err := fn(s); err != nil {
			return err
		}
	}
	return nil
}
