package store

import (
	"context"
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

const (
	sqlAttributes = `SELECT attributes FROM segment WHERE first = ?`
	sqlIDs        = `SELECT ids FROM segment WHERE first = ?`
)

// maxPage bounds the memory of a page, whatever limit the caller gives.
const maxPage = 10_000

// List implements store.Reader.
func (s *Store) List(ctx context.Context, f store.Filter, limit int, cursor string) (store.Page, error) {
	if limit < 1 {
		return store.Page{}, fmt.Errorf("list events: the limit is %d, want at least 1", limit)
	}
	c, err := newCriteria(f, cursor)
	if err != nil {
		return store.Page{}, err
	}
	var page store.Page
	err = s.db.Read(ctx, func(conn *sqlite.Conn) (err error) {
		page, err = list(conn, c, min(limit, maxPage))
		return err
	})
	if err != nil {
		return store.Page{}, failed(err, "list events")
	}
	return page, nil
}

func list(conn *sqlite.Conn, c *criteria, limit int) (store.Page, error) {
	n := newest{limit: limit + 1} // one more, to know whether there is a next page
	if c.stored() {
		err := eachCandidate(conn, c, func(seg candidate) error {
			if n.full() && seg.maxTime < n.oldest() {
				return errStop // and so have all segments after it
			}
			return n.addFrom(conn, c, seg)
		})
		if err != nil {
			return store.Page{}, err
		}
	}
	if err := eachLeased(conn, c, limit+1, n.add); err != nil {
		return store.Page{}, err
	}
	n.trim()
	var page store.Page
	hits := n.hits
	if len(hits) > limit {
		hits = hits[:limit]
		page.Next = c.Cursor(hits[limit-1].Position)
	}
	records, err := load(conn, hits)
	page.Records = records
	return page, err
}

// hit is an event that matches: one of a segment, or one that is only leased.
type hit struct {
	store.Position
	segment int64
	index   int
	leased  *store.Record // nil: in the segment
}

// newest keeps the hits that are listed first.
type newest struct {
	limit int
	hits  []hit
}

func (n *newest) add(h hit) {
	n.hits = append(n.hits, h)
	if len(n.hits) >= 2*n.limit {
		n.trim()
	}
}

func (n *newest) trim() {
	slices.SortFunc(n.hits, func(a, b hit) int { return a.Compare(b.Position) })
	n.hits = n.hits[:min(len(n.hits), n.limit)]
}

// full and oldest hold between a trim and the next add.
func (n *newest) full() bool    { return len(n.hits) == n.limit }
func (n *newest) oldest() int64 { return n.hits[len(n.hits)-1].Time.UnixMilli() }

// addFrom adds the events of a segment that match.
func (n *newest) addFrom(conn *sqlite.Conn, c *criteria, seg candidate) error {
	cols, err := loadColumns(conn, seg.first)
	if err != nil {
		return err
	}
	found, times, err := c.match(cols)
	if err != nil {
		return damagedSegment(seg.first, err)
	}
	if n.full() {
		oldest := n.oldest()
		found = slices.DeleteFunc(found, func(i int) bool { return times[i] < oldest })
	}
	if len(found) == 0 {
		return nil
	}
	keys, err := loadKeys(conn, seg.first, cols)
	if err != nil {
		return err
	}
	for _, i := range found {
		p := store.Position{Time: fromMillis(times[i]), Key: keys(i)}
		if c.after == nil || p.Compare(*c.after) > 0 {
			n.add(hit{Position: p, segment: seg.first, index: i})
		}
	}
	n.trim()
	return nil
}

func loadColumns(conn *sqlite.Conn, first int64) (*columns, error) {
	seg := stored{first: first}
	err := query(conn, sqlAttributes, func(row *sqlite.Stmt) error { return seg.load(blob(row, 0), nil) }, first)
	if err == nil && seg.columns.count == 0 {
		err = damagedSegment(first, nil) // it is gone
	}
	return &seg.columns, err
}

// loadKeys gives the keys of a segment's events by their index.
func loadKeys(conn *sqlite.Conn, first int64, cols *columns) (func(i int) event.Key, error) {
	var ids []string
	err := query(conn, sqlIDs, func(row *sqlite.Stmt) error {
		raw, err := unseal(blob(row, 0))
		if err == nil {
			ids, err = parseStrings(raw)
		}
		return err
	}, first)
	if err != nil || len(ids) != cols.count {
		return nil, damagedSegment(first, err)
	}
	sources, err := cols.column(bySource)
	if err != nil {
		return nil, damagedSegment(first, err)
	}
	return func(i int) event.Key { return event.Key{Source: sources.values[sources.codes[i]], ID: ids[i]} }, nil
}

// load reads the hits' events, each segment once.
func load(conn *sqlite.Conn, hits []hit) ([]store.Record, error) {
	records := make([]store.Record, len(hits))
	bySegment := make(map[int64][]int)
	for i, h := range hits {
		if h.leased != nil {
			records[i] = *h.leased
			continue
		}
		bySegment[h.segment] = append(bySegment[h.segment], i)
	}
	for first, places := range bySegment {
		seg, err := segmentOf(conn, first)
		if err != nil {
			return nil, err
		}
		for _, i := range places {
			if records[i], err = seg.record(hits[i].index); err != nil {
				return nil, err
			}
		}
	}
	return records, nil
}
