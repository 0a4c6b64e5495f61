package store

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

const (
	sqlLease = `SELECT owner, until, token, attempt, error, status, result, stored FROM lease WHERE id = ? AND source = ?`

	sqlPutLease = `INSERT OR REPLACE INTO lease
		(id, source, status, owner, until, token, attempt, error, stored, event, time, tenant, type, subject, user)
		VALUES (?, ?, 'PROCESSING', ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?)`

	sqlFinishLease = `UPDATE lease SET status = ?, error = ?, result = ? WHERE id = ? AND source = ?`

	sqlAnyLeased  = `SELECT 1 FROM lease INDEXED BY lease_time WHERE stored = 0 LIMIT 1`
	sqlMarkStored = `UPDATE lease SET stored = 1, event = NULL WHERE id = ? AND source = ? AND stored = 0`
	sqlResetLease = `UPDATE lease SET status = 'PENDING' WHERE id = ? AND source = ?`
)

// leaseRow is a lease as it is in the file.
type leaseRow struct {
	store.Lease
	status store.Status
	result []byte
	stored bool // its event is
}

func findLease(conn *sqlite.Conn, key event.Key) (l leaseRow, ok bool, err error) {
	err = query(conn, sqlLease, func(row *sqlite.Stmt) error {
		l = leaseRow{
			Lease:  scanLease(row, key),
			status: store.Status(row.ColumnText(5)),
			result: blob(row, 6),
			stored: row.ColumnBool(7),
		}
		ok = true
		return nil
	}, key.ID, key.Source)
	return l, ok, err
}

// scanLease reads the columns owner, until, token, attempt, error.
func scanLease(row *sqlite.Stmt, key event.Key) store.Lease {
	return store.Lease{
		Key:     key,
		Owner:   row.ColumnText(0),
		Until:   fromMillis(row.ColumnInt64(1)),
		Token:   row.ColumnInt64(2),
		Attempt: row.ColumnInt(3),
		Error:   row.ColumnText(4),
	}
}

// Acquire implements store.Leases.
func (s *Store) Acquire(ctx context.Context, r store.LeaseRequest) (a store.Acquired, l store.Lease, result []byte, err error) {
	now := s.now()
	err = s.db.Write(ctx, func(conn *sqlite.Conn) error {
		row, ok, err := findLease(conn, r.Event.Key())
		switch {
		case err != nil:
			return err
		case ok && row.status == store.Completed:
			a, l, result = store.Done, row.Lease, row.result
			return nil
		case ok && row.status == store.Processing && row.Until.UnixMilli() > now.UnixMilli():
			a, l, result = store.Held, row.Lease, nil
			return nil
		}
		a, result = store.Granted, nil
		l, err = grant(conn, r, row, now)
		return err
	})
	if err != nil {
		return 0, store.Lease{}, nil, failed(err, "acquire lease")
	}
	return a, l, result, nil
}

// grant writes the lease that comes after the one in last, which is zero when there
// was none.
func grant(conn *sqlite.Conn, r store.LeaseRequest, last leaseRow, now time.Time) (store.Lease, error) {
	e := &r.Event
	l := store.Lease{
		Key:     e.Key(),
		Owner:   r.Owner,
		Until:   fromMillis(r.Until.UnixMilli()),
		Token:   last.Token + 1,
		Attempt: last.Attempt + 1,
	}
	isStored := last.stored
	if !isStored && last.Token == 0 {
		var err error
		if _, isStored, err = findNumber(conn, l.Key); err != nil {
			return l, err
		}
	}
	json := e.JSON()
	if isStored {
		json = nil
	}
	return l, exec(conn, sqlPutLease, l.Key.ID, l.Key.Source, l.Owner, l.Until.UnixMilli(), l.Token, l.Attempt, boolInt(isStored), json,
		store.TimeOf(e, now).UnixMilli(), e.Tenant(), e.Type(), e.Subject(), e.User())
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Finish implements store.Leases.
func (s *Store) Finish(ctx context.Context, l store.Lease, status store.Status, result []byte) (ok bool, err error) {
	reason := string(result)
	switch status {
	case store.Completed:
		reason = ""
		if result == nil {
			result = []byte{}
		}
	case store.Failed, store.Pending:
		result = nil
	default:
		return false, fault.New(fault.Bug, "a lease cannot be finished as %q", status)
	}
	err = s.db.Write(ctx, func(conn *sqlite.Conn) error {
		row, found, err := findLease(conn, l.Key)
		if err != nil {
			return err
		}
		if ok = found && row.Token == l.Token; !ok {
			return nil
		}
		if row.status == store.Completed {
			ok = status == store.Completed
			return nil
		}
		return exec(conn, sqlFinishLease, string(status), reason, result, l.Key.ID, l.Key.Source)
	})
	if err != nil {
		return false, failed(err, "finish lease")
	}
	return ok, nil
}

// Reset implements store.Leases.
func (s *Store) Reset(ctx context.Context, f store.Filter, endedBefore time.Time, limit int) ([]event.Key, error) {
	c, err := newCriteria(f, "")
	if err != nil {
		return nil, err
	}
	var keys []event.Key
	err = s.db.Write(ctx, func(conn *sqlite.Conn) error {
		keys = nil
		sql, args := sqlStuck(c)
		err := query(conn, sql, func(row *sqlite.Stmt) error {
			keys = append(keys, event.Key{ID: row.ColumnText(0), Source: row.ColumnText(1)})
			return nil
		}, append(args, endedBefore.UnixMilli(), max(limit, 0))...)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := exec(conn, sqlResetLease, k.ID, k.Source); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, failed(err, "reset leases")
	}
	return keys, nil
}

// markStored takes the events out of the listing of leases: they are stored now. Where
// no event is only leased, it costs one look at an empty index.
func markStored(conn *sqlite.Conn, events []event.Event) error {
	leased := false
	err := query(conn, sqlAnyLeased, func(*sqlite.Stmt) error {
		leased = true
		return nil
	})
	if err != nil || !leased {
		return err
	}
	for i := range events {
		if err := exec(conn, sqlMarkStored, events[i].ID(), events[i].Source()); err != nil {
			return err
		}
	}
	return nil
}
