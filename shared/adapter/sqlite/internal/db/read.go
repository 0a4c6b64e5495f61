package db

import (
	"context"

	"zombiezen.com/go/sqlite"
)

// Read runs fn in a read transaction: every statement sees the same moment of the
// file, and neither waits for a writer nor makes one wait. fn must not write, and must
// not keep conn or a statement of it. Use conn.Prepare: the statement stays prepared.
//
// When ctx is done, a running statement is interrupted and Read returns ctx's error.
func (d *DB) Read(ctx context.Context, fn func(conn *sqlite.Conn) error) error {
	conn, err := d.takeReader(ctx)
	if err != nil {
		return err
	}
	defer func() { d.readers <- conn }()
	if conn == nil {
		if conn, err = d.connect(); err != nil {
			return d.translate(ctx, "open", err)
		}
	}
	return d.translate(ctx, "read", readTx(ctx, conn, fn))
}

func (d *DB) takeReader(ctx context.Context) (*sqlite.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-d.closing:
		return nil, ErrClosed
	default:
	}
	select {
	case conn := <-d.readers:
		return conn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-d.closing:
		return nil, ErrClosed
	}
}

func readTx(ctx context.Context, conn *sqlite.Conn, fn func(*sqlite.Conn) error) error {
	conn.SetInterrupt(ctx.Done())
	// Deferred so that a panic in fn leaves the connection clean for the next caller.
	defer func() {
		conn.SetInterrupt(nil) // also resets statements that fn left in the middle
		_ = execCached(conn, "ROLLBACK")
	}()
	if err := execCached(conn, "BEGIN"); err != nil {
		return err
	}
	return fn(conn)
}

// Version is a number that changes whenever anyone, in this process or another,
// commits a change to the file. It costs about as much as reading one row, so that
// polling it a few times a second is cheap (SQLite: PRAGMA data_version).
func (d *DB) Version(ctx context.Context) (int64, error) {
	d.versionMu.Lock()
	defer d.versionMu.Unlock()
	select {
	case <-d.closing:
		return 0, ErrClosed
	default:
	}
	if d.version == nil {
		conn, err := d.connect()
		if err != nil {
			return 0, d.translate(ctx, "open", err)
		}
		d.version = conn
	}
	stmt, err := d.version.Prepare("PRAGMA data_version")
	if err != nil {
		return 0, d.translate(ctx, "read", err)
	}
	if _, err := stmt.Step(); err != nil {
		return 0, d.translate(ctx, "read", err)
	}
	v := stmt.ColumnInt64(0)
	return v, d.translate(ctx, "read", stmt.Reset())
}
