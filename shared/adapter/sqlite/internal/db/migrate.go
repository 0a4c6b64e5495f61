package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// prepareFile puts the file in WAL mode and brings its schema to the newest version.
// Several processes may do so at once.
func (d *DB) prepareFile(ctx context.Context, conn *sqlite.Conn) error {
	conn.SetInterrupt(ctx.Done())
	defer conn.SetInterrupt(nil)
	// Before anything is changed; one transaction, as another process may be migrating.
	if err := exec(conn, "BEGIN"); err != nil {
		return err
	}
	if err := errors.Join(d.identify(conn), exec(conn, "ROLLBACK")); err != nil {
		return err
	}
	if err := exec(conn, fmt.Sprintf("PRAGMA page_size = %d", d.opts.PageSize)); err != nil {
		return err
	}
	if err := d.useWAL(ctx, conn); err != nil {
		return err
	}
	for _, pragma := range []string{
		fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", max(d.opts.CheckpointBytes/d.opts.PageSize, 1)),
		fmt.Sprintf("PRAGMA journal_size_limit = %d", d.opts.CheckpointBytes),
	} {
		if err := exec(conn, pragma); err != nil {
			return err
		}
	}
	return d.migrate(conn)
}

// useWAL retries by itself: SQLite does not wait for the lock of the journal mode.
func (d *DB) useWAL(ctx context.Context, conn *sqlite.Conn) error {
	for deadline := time.Now().Add(d.opts.Busy); ; {
		err := exec(conn, "PRAGMA journal_mode = WAL")
		if !isBusy(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// identify refuses a file that is another kind of database or of a newer version.
func (d *DB) identify(conn *sqlite.Conn) error {
	version, err := queryInt(conn, "PRAGMA user_version")
	if err != nil {
		return err
	}
	app, err := queryInt(conn, "PRAGMA application_id")
	if err != nil {
		return err
	}
	tables, err := queryInt(conn, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	empty := version == 0 && app == 0 && tables == 0
	if !empty && app != int64(d.opts.ApplicationID) {
		return &Error{Path: d.path, Op: "open", kind: ErrNotDatabase, detail: "it is an SQLite database of another kind"}
	}
	if newest := len(d.opts.Migrations); version > int64(newest) {
		return &Error{Path: d.path, Op: "open", kind: ErrNewer,
			detail: fmt.Sprintf("the file has schema version %d, this program knows versions up to %d", version, newest)}
	}
	return nil
}

func (d *DB) migrate(conn *sqlite.Conn) (err error) {
	version, err := queryInt(conn, "PRAGMA user_version")
	if err != nil || version == int64(len(d.opts.Migrations)) {
		return err
	}
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	// Anew under the lock: another process may have migrated the file meanwhile.
	if err := d.identify(conn); err != nil {
		return err
	}
	if version, err = queryInt(conn, "PRAGMA user_version"); err != nil {
		return err
	}
	for i := int(version); i < len(d.opts.Migrations); i++ {
		if err := sqlitex.ExecuteScript(conn, d.opts.Migrations[i], nil); err != nil {
			return fmt.Errorf("migrate to version %d: %w", i+1, err)
		}
	}
	if err := exec(conn, fmt.Sprintf("PRAGMA application_id = %d", d.opts.ApplicationID)); err != nil {
		return err
	}
	return exec(conn, fmt.Sprintf("PRAGMA user_version = %d", len(d.opts.Migrations)))
}
