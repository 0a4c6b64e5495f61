package store

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/store"
)

// Count implements store.Reader.
func (s *Store) Count(ctx context.Context, f store.Filter) (int64, error) {
	c, err := newCriteria(f, "")
	if err != nil {
		return 0, err
	}
	var n int64
	err = s.db.Read(ctx, func(conn *sqlite.Conn) (err error) {
		if n, err = countLeased(conn, c); err != nil || !c.stored() {
			return err
		}
		return eachCandidate(conn, c, func(seg candidate) error {
			found, err := c.countIn(conn, seg)
			n += int64(found)
			return err
		})
	})
	if err != nil {
		return 0, failed(err, "count events")
	}
	return n, nil
}

// countIn counts the matching events of a segment, without looking at them where all match.
func (c *criteria) countIn(conn *sqlite.Conn, seg candidate) (int, error) {
	if len(c.tests) == 0 && seg.minTime >= c.lo && seg.maxTime < c.hi {
		return seg.count, nil
	}
	cols, err := loadColumns(conn, seg.first)
	if err != nil {
		return 0, err
	}
	found, _, err := c.match(cols)
	if err != nil {
		return 0, damagedSegment(seg.first, err)
	}
	return len(found), nil
}
