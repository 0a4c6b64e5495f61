package db_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/internal/db"
)

func errorsContains(text, part string) bool { return strings.Contains(text, part) }

// wantError checks the kind of err and that its text names the file and what to do.
func wantError(t *testing.T, err, kind error, parts ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
	for _, p := range parts {
		if !errorsContains(err.Error(), p) {
			t.Errorf("message %q does not contain %q", err, p)
		}
	}
}

func TestLocked(t *testing.T) {
	d := newDB(t)
	o := options()
	o.Busy = 30 * time.Millisecond
	other := open(t, d.Path(), o)
	release := hold(t, d)
	wantError(t, other.Write(t.Context(), insert(1)), db.ErrLocked, d.Path(), "fuser")

	// Reading needs no lock, and neither does opening.
	if got := count(t, other); got != 0 {
		t.Errorf("%d rows", got)
	}
	open(t, d.Path(), o)

	release()
	if err := other.Write(t.Context(), insert(1)); err != nil {
		t.Errorf("after the lock was released: %v", err)
	}
}

func TestWaitForLockEndsWithContext(t *testing.T) {
	d := newDB(t)
	other := open(t, d.Path(), options())
	release := hold(t, d)
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := other.Write(ctx, insert(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("write: %v", err)
	}
}

func TestNotDatabase(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "notes.db")
	text := []byte(strings.Repeat("these are not the bytes you are looking for\n", 100))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := db.Open(t.Context(), path, options())
	wantError(t, err, db.ErrNotDatabase, path, "move it away")
	if after, err := os.ReadFile(path); err != nil || string(after) != string(text) {
		t.Errorf("the file was changed: %v", err)
	}

	_, err = db.Open(t.Context(), dir, options())
	wantError(t, err, db.ErrNotDatabase, "directory")
}

func TestOtherApplicationsDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	conn, err := sqlite.OpenConn(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sqlitex.ExecuteScript(conn, "CREATE TABLE bookmarks (url TEXT);", nil), conn.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = db.Open(t.Context(), path, options())
	wantError(t, err, db.ErrNotDatabase, path, "another kind")
}

func TestNewerVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	o := options()
	o.Migrations = append(o.Migrations, "CREATE TABLE u (id INTEGER);")
	d, err := db.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = db.Open(t.Context(), path, options())
	wantError(t, err, db.ErrNewer, path, "version 2", "up to 1")
}

func TestFailedMigrationLeavesTheOldVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	o := options()
	o.Migrations = append(o.Migrations, "CREATE TABLE u (id INTEGER); NOT SQL;")
	if _, err := db.Open(t.Context(), path, o); err == nil || !errorsContains(err.Error(), "version 2") {
		t.Fatalf("open: %v", err)
	}
	d := open(t, path, options())
	if got := count(t, d); got != 0 {
		t.Errorf("%d rows", got)
	}
}

// damaged makes a database of some pages and overwrites a part of it.
func damaged(t *testing.T, from, to int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	d, err := db.Open(t.Context(), path, options())
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if err := d.Write(t.Context(), insert(3000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	junk := []byte(strings.Repeat("\xAA\x55\xFF", int(to-from)/3+1))[:to-from]
	if _, err := f.WriteAt(junk, from); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCorruptSchemaIsFoundAtOpen(t *testing.T) {
	_, err := db.Open(t.Context(), damaged(t, 100, 4096), options())
	wantError(t, err, db.ErrCorrupt, "is damaged", "move it away", "x.db")
}

func TestCorruptPagesAreFoundWhenRead(t *testing.T) {
	d := open(t, damaged(t, 4096, 40960), options())
	err := d.Read(t.Context(), func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, "SELECT sum(length(v)) FROM t", nil)
	})
	wantError(t, err, db.ErrCorrupt, "is damaged", "restore")
	wantError(t, d.Write(t.Context(), insert(5000)), db.ErrCorrupt, "is damaged")
}

func TestTruncatedFile(t *testing.T) {
	path := damaged(t, 90000, 90000)
	if err := os.Truncate(path, 20000); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), path, options())
	if err == nil {
		defer func() { _ = d.Close() }()
		err = d.Read(t.Context(), func(conn *sqlite.Conn) error {
			return sqlitex.Execute(conn, "SELECT sum(length(v)) FROM t", nil)
		})
	}
	wantError(t, err, db.ErrCorrupt, "is damaged")
}

func TestDiskFull(t *testing.T) {
	d := newDB(t)
	if err := d.Write(t.Context(), func(conn *sqlite.Conn) error {
		// SQLite answers a file at its page limit as it does a full disk: SQLITE_FULL.
		_, err := sqlitex.ResultInt(conn.Prep("PRAGMA max_page_count = 20"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), insert(10)); err != nil {
		t.Fatal(err)
	}
	wantError(t, d.Write(t.Context(), insert(200<<10)), db.ErrFull, "no space left", d.Path())
	if err := d.Write(t.Context(), insert(10)); err != nil {
		t.Errorf("a small write after a full disk: %v", err)
	}
	if got := count(t, d); got != 2 {
		t.Errorf("%d rows, want 2", got)
	}
}

func TestPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read and write everything")
	}
	d, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), options())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.Path(), 0o400); err != nil {
		t.Fatal(err)
	}
	_, err = db.Open(t.Context(), d.Path(), options())
	wantError(t, err, db.ErrPermission, d.Path())
}

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	if _, err := db.Open(t.Context(), filepath.Join(dir, "no", "x.db"), options()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	o := options()
	o.MustExist = true
	path := filepath.Join(dir, "x.db")
	if _, err := db.Open(t.Context(), path, o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the missing file was made: %v", err)
	}
}

// Statement errors are the caller's and pass as they are.
func TestStatementErrorsPass(t *testing.T) {
	d := newDB(t)
	err := d.Write(t.Context(), func(conn *sqlite.Conn) error {
		return sqlitex.ExecuteTransient(conn, "INSERT INTO t (id) VALUES (1), (1)", nil)
	})
	if sqlite.ErrCode(err).ToPrimary() != sqlite.ResultConstraint {
		t.Errorf("constraint: %v", err)
	}
	var e *db.Error
	if errors.As(err, &e) {
		t.Errorf("a constraint is reported as a failure of the file: %v", err)
	}
}
