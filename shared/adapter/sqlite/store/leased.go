package store

import (
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Listings of events that are leased and not stored: plain SQL with an index for each
// filter, as an effect costs more than any index.

const (
	// scanLease reads the first five columns.
	leasedColumns    = `owner, until, token, attempt, error, status, event, time, source, id`
	sqlLeased        = `SELECT ` + leasedColumns + ` FROM lease WHERE id = ? AND source = ? AND stored = 0`
	sqlLeasedSources = `SELECT source FROM lease WHERE id = ? AND stored = 0 LIMIT 2`
)

// leaseWhere is the condition for leased events that match c.
func leaseWhere(c *criteria) (where string, args []any) {
	var b strings.Builder
	b.WriteString(`stored = 0 AND time >= ? AND time < ?`)
	args = []any{c.lo, c.hi}
	is := func(column, value string) {
		if value != "" {
			fmt.Fprintf(&b, ` AND %s = ?`, column)
			args = append(args, value)
		}
	}
	is("subject", c.Subject)
	is("user", c.User)
	is("source", c.Source)
	is("tenant", c.Tenant)
	if prefix, ok := c.TypePrefix(); ok {
		b.WriteString(` AND type >= ? AND type < ?`)
		args = append(args, prefix, prefix[:len(prefix)-1]+"/") // "/" comes after "."
	} else {
		is("type", c.Type)
	}
	is("status", string(c.Status))
	if p := c.after; p != nil {
		b.WriteString(` AND (time, source, id) < (?, ?, ?)`)
		args = append(args, p.Time.UnixMilli(), p.Key.Source, p.Key.ID)
	}
	return b.String(), args
}

// leaseIndex is the index for the attribute that usually selects the fewest.
func leaseIndex(f store.Filter) string {
	switch {
	case f.Subject != "":
		return "lease_subject"
	case f.User != "":
		return "lease_user"
	case f.Source != "":
		return "lease_source"
	case f.Tenant != "":
		return "lease_tenant"
	case f.Type != "":
		return "lease_type"
	case f.Status != "":
		return "lease_status"
	default:
		return "lease_time"
	}
}

func sqlListLeased(c *criteria) (sql string, args []any) {
	where, args := leaseWhere(c)
	return `SELECT ` + leasedColumns + ` FROM lease INDEXED BY ` + leaseIndex(c.Filter) + ` WHERE ` + where +
		` ORDER BY time DESC, source DESC, id DESC LIMIT ?`, args
}

func sqlCountLeased(c *criteria) (sql string, args []any) {
	where, args := leaseWhere(c)
	return `SELECT count(*) FROM lease INDEXED BY ` + leaseIndex(c.Filter) + ` WHERE ` + where, args
}

// sqlStuck selects leases that ended before a time, longest ended first.
func sqlStuck(c *criteria) (sql string, args []any) {
	where, args := leaseWhere(c)
	return `SELECT id, source FROM lease INDEXED BY lease_until WHERE ` + where +
		` AND status = 'PROCESSING' AND until < ? ORDER BY until LIMIT ?`, args
}

// eachLeased calls fn for the first events in the listing that are only leased.
func eachLeased(conn *sqlite.Conn, c *criteria, limit int, fn func(hit)) error {
	sql, args := sqlListLeased(c)
	return query(conn, sql, func(row *sqlite.Stmt) error {
		h, err := scanLeased(row)
		if err == nil {
			fn(h)
		}
		return err
	}, append(args, limit)...)
}

func countLeased(conn *sqlite.Conn, c *criteria) (n int64, err error) {
	sql, args := sqlCountLeased(c)
	err = query(conn, sql, func(row *sqlite.Stmt) error {
		n = row.ColumnInt64(0)
		return nil
	}, args...)
	return n, err
}

func scanLeased(row *sqlite.Stmt) (hit, error) {
	key := event.Key{Source: row.ColumnText(8), ID: row.ColumnText(9)}
	e, err := event.Parse(blob(row, 6))
	if err != nil {
		return hit{}, fmt.Errorf("leased event %q of %q: %w: %w", key.ID, key.Source, errDamaged, err)
	}
	rec := &store.Record{Event: e, Status: store.Status(row.ColumnText(5)), Received: e.Received()}
	if rec.Status != store.Completed {
		l := scanLease(row, key)
		rec.Lease = &l
	}
	return hit{Position: store.Position{Time: fromMillis(row.ColumnInt64(7)), Key: key}, leased: rec}, nil
}

func leasedRecord(conn *sqlite.Conn, key event.Key) (rec store.Record, ok bool, err error) {
	err = query(conn, sqlLeased, func(row *sqlite.Stmt) error {
		h, err := scanLeased(row)
		if err == nil {
			rec, ok = *h.leased, true
		}
		return err
	}, key.ID, key.Source)
	return rec, ok, err
}

// leasedSources are the sources that have a leased event with an id, at most two.
func leasedSources(conn *sqlite.Conn, id string) (sources []string, err error) {
	err = query(conn, sqlLeasedSources, func(row *sqlite.Stmt) error {
		sources = append(sources, row.ColumnText(0))
		return nil
	}, id)
	return sources, err
}
