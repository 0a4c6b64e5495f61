package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/internal/db"
)

const createTable = `CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB);`

func options() db.Options {
	return db.Options{Migrations: []string{createTable}, ApplicationID: 77}
}

func open(t *testing.T, path string, o db.Options) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

func newDB(t *testing.T) *db.DB {
	return open(t, filepath.Join(t.TempDir(), "x.db"), options())
}

func insert(n int) func(*sqlite.Conn) error {
	return func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, "INSERT INTO t (v) VALUES (zeroblob(?))", &sqlitex.ExecOptions{Args: []any{n}})
	}
}

func count(t *testing.T, d *db.DB) int {
	t.Helper()
	var n int
	if err := d.Read(context.Background(), func(conn *sqlite.Conn) (err error) {
		n, err = sqlitex.ResultInt(conn.Prep("SELECT count(*) FROM t"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWriteIsSeenByReadersAndByOtherProcesses(t *testing.T) {
	d := newDB(t)
	other := open(t, d.Path(), options())
	if err := d.Write(t.Context(), insert(1)); err != nil {
		t.Fatal(err)
	}
	if got := count(t, d); got != 1 {
		t.Errorf("own reader sees %d rows", got)
	}
	if got := count(t, other); got != 1 {
		t.Errorf("other handle sees %d rows", got)
	}
}

func TestFailedWriteLeavesNothingAndOthersUnharmed(t *testing.T) {
	d := newDB(t)
	boom := errors.New("boom")
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			err := d.Write(t.Context(), func(conn *sqlite.Conn) error {
				if err := insert(10)(conn); err != nil {
					return err
				}
				if i%2 == 1 {
					return boom
				}
				return nil
			})
			if want := i%2 == 1; errors.Is(err, boom) != want || (err != nil) != want {
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if got := count(t, d); got != 100 {
		t.Errorf("%d rows, want the 100 of the writes that did not fail", got)
	}
}

// hold makes the writer busy until release is called, so that later writes form a group.
func hold(t *testing.T, d *db.DB) (release func()) {
	t.Helper()
	held, free := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := d.Write(context.Background(), func(*sqlite.Conn) error {
			close(held)
			<-free
			return nil
		}); err != nil {
			t.Errorf("holding write: %v", err)
		}
	})
	<-held
	return func() { close(free); wg.Wait() }
}

func TestWaitingWritesShareOneTransaction(t *testing.T) {
	d := newDB(t)
	before, err := d.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release := hold(t, d)
	var sawOthers, started atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			started.Add(1)
			if err := d.Write(t.Context(), func(conn *sqlite.Conn) error {
				// Rows that the transaction holds but no reader sees yet.
				n, err := sqlitex.ResultInt(conn.Prep("SELECT count(*) FROM t"))
				if n > 0 && count(t, d) == 0 {
					sawOthers.Add(1)
				}
				return errors.Join(err, insert(1)(conn))
			}); err != nil {
				t.Errorf("write: %v", err)
			}
		})
	}
	for started.Load() < 20 {
		time.Sleep(time.Millisecond)
	}
	release()
	wg.Wait()
	if count(t, d) != 20 {
		t.Errorf("%d rows, want 20", count(t, d))
	}
	if sawOthers.Load() == 0 {
		t.Error("no write ran in the transaction of another")
	}
	if after, err := d.Version(t.Context()); err != nil || after == before {
		t.Errorf("version %d after the writes, %d before: %v", after, before, err)
	}
}

// The strictest call of a transaction decides when it reaches the disk.
func TestSync(t *testing.T) {
	o := options()
	o.Sync = db.SyncNormal
	full, normal := newDB(t), open(t, filepath.Join(t.TempDir(), "y.db"), o)
	const isNormal, isFull = 1, 2 // values of PRAGMA synchronous
	var level int
	ask := func(conn *sqlite.Conn) (err error) {
		level, err = sqlitex.ResultInt(conn.Prep("PRAGMA synchronous"))
		return err
	}
	for i, c := range []struct {
		write func(context.Context, func(*sqlite.Conn) error) error
		want  int
	}{
		{full.Write, isFull}, {full.WriteUnsynced, isNormal}, {full.WriteUnsynced, isNormal}, {full.Write, isFull},
		{full.WriteUnsynced, isNormal}, {full.Write, isFull}, {normal.Write, isNormal}, {normal.WriteUnsynced, isNormal},
	} {
		if err := c.write(t.Context(), ask); err != nil || level != c.want {
			t.Errorf("call %d: level %d, want %d: %v", i, level, c.want, err)
		}
	}

	release := hold(t, full)
	levels := make([]int, 2)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := full.WriteUnsynced(t.Context(), func(conn *sqlite.Conn) (err error) {
			levels[0], err = sqlitex.ResultInt(conn.Prep("PRAGMA synchronous"))
			return err
		}); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		if err := full.Write(t.Context(), func(conn *sqlite.Conn) (err error) {
			levels[1], err = sqlitex.ResultInt(conn.Prep("PRAGMA synchronous"))
			return err
		}); err != nil {
			t.Error(err)
		}
	})
	release()
	wg.Wait()
	if levels[1] != isFull {
		t.Errorf("a synced call beside an unsynced one: level %d", levels[1])
	}
}

func TestWriteUndoneByAnotherCallRunsAgain(t *testing.T) {
	d := newDB(t)
	release := hold(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	var runs atomic.Int64
	var good, bad sync.WaitGroup
	good.Go(func() {
		if err := d.Write(t.Context(), func(conn *sqlite.Conn) error {
			runs.Add(1)
			return insert(1)(conn)
		}); err != nil {
			t.Errorf("neighbour: %v", err)
		}
	})
	bad.Go(func() {
		// Interrupted in the middle of an INSERT: SQLite undoes the whole transaction.
		err := d.Write(ctx, func(conn *sqlite.Conn) error {
			cancel()
			return sqlitex.Execute(conn, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n)
				INSERT INTO t (v) SELECT zeroblob(1) FROM n`, nil)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled write: %v", err)
		}
	})
	release()
	good.Wait()
	bad.Wait()
	if count(t, d) != 1 {
		t.Errorf("%d rows, want the neighbour's one (it ran %d times)", count(t, d), runs.Load())
	}
}

func TestPanicReachesTheCallerAndUndoes(t *testing.T) {
	d := newDB(t)
	func() {
		defer func() {
			if v := recover(); v == nil || !errorsContains(fmt.Sprint(v), "kaput") {
				t.Errorf("recovered %v", v)
			}
		}()
		_ = d.Write(t.Context(), func(conn *sqlite.Conn) error {
			_ = insert(1)(conn)
			panic("kaput")
		})
	}()
	func() {
		defer func() { _ = recover() }()
		_ = d.Read(t.Context(), func(*sqlite.Conn) error { panic("kaput") })
	}()
	if err := d.Write(t.Context(), insert(1)); err != nil {
		t.Fatal(err)
	}
	if got := count(t, d); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
}

func TestReadSeesOneMoment(t *testing.T) {
	d := newDB(t)
	if err := d.Read(t.Context(), func(conn *sqlite.Conn) error {
		before, err := sqlitex.ResultInt(conn.Prep("SELECT count(*) FROM t"))
		if err != nil {
			return err
		}
		if err := d.Write(t.Context(), insert(1)); err != nil {
			return err
		}
		after, err := sqlitex.ResultInt(conn.Prep("SELECT count(*) FROM t"))
		if before != after {
			t.Errorf("read saw %d, then %d rows", before, after)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestReadIsInterrupted(t *testing.T) {
	d := newDB(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := d.Read(ctx, func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n)
			SELECT count(*) FROM n`, nil)
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("endless read: %v", err)
	}
	if got := count(t, d); got != 0 { // the connection still works
		t.Errorf("%d rows", got)
	}
}

func TestCancelledWaitWritesNothing(t *testing.T) {
	d := newDB(t)
	release := hold(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if err := d.Write(ctx, insert(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
	release()
	if got := count(t, d); got != 0 {
		t.Errorf("%d rows, want none", got)
	}
}

func TestVersionChangesWithOtherProcessesCommits(t *testing.T) {
	d := newDB(t)
	other := open(t, d.Path(), options())
	version := func() int64 {
		v, err := d.Version(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	before := version()
	if version() != before {
		t.Error("version changed without a commit")
	}
	if err := other.Write(t.Context(), insert(1)); err != nil {
		t.Fatal(err)
	}
	if version() == before {
		t.Error("version did not change with another process's commit")
	}
}

func TestTwoBusyProcessesTakeTurns(t *testing.T) {
	d := newDB(t)
	o := options()
	o.Busy = 5 * time.Second
	other := open(t, d.Path(), o)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 { // enough that the writer never finds its queue empty
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := d.Write(t.Context(), insert(1<<20)); err != nil {
					t.Errorf("busy process: %v", err)
					return
				}
			}
		})
	}
	for range 10 {
		if err := other.Write(t.Context(), insert(1)); err != nil {
			t.Fatalf("command beside a busy process: %v", err)
		}
	}
	close(stop)
	wg.Wait()
}

func TestCloseEndsWhatRunsAndRefusesTheRest(t *testing.T) {
	d, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), options())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var written atomic.Int64
	for range 50 {
		wg.Go(func() {
			switch err := d.Write(t.Context(), insert(1)); {
			case err == nil:
				written.Add(1)
			case !errors.Is(err, db.ErrClosed):
				t.Errorf("write beside close: %v", err)
			}
		})
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := d.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if err := d.Read(t.Context(), func(*sqlite.Conn) error { return nil }); !errors.Is(err, db.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if _, err := d.Version(t.Context()); !errors.Is(err, db.ErrClosed) {
		t.Errorf("version after close: %v", err)
	}
	if _, err := os.Stat(d.Path() + "-wal"); !os.IsNotExist(err) {
		t.Errorf("the WAL is still there after close: %v", err)
	}
	if got := count(t, open(t, d.Path(), options())); int64(got) != written.Load() {
		t.Errorf("%d rows, %d acknowledged", got, written.Load())
	}
}

func TestManyProcessesMakeOneNewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			d, err := db.Open(t.Context(), path, options())
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if err := d.Write(t.Context(), insert(1)); err != nil {
				t.Errorf("write: %v", err)
			}
			if err := d.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	wg.Wait()
	if got := count(t, open(t, path, options())); got != 8 {
		t.Errorf("%d rows, want 8", got)
	}
}

func TestMigrationKeepsData(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	d, err := db.Open(t.Context(), path, options())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Write(t.Context(), insert(1)), d.Close()); err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Migrations = append(o.Migrations, "ALTER TABLE t ADD COLUMN w TEXT NOT NULL DEFAULT 'new';")
	d = open(t, path, o)
	if err := d.Read(t.Context(), func(conn *sqlite.Conn) error {
		w, err := sqlitex.ResultText(conn.Prep("SELECT w FROM t"))
		if w != "new" {
			t.Errorf("w = %q", w)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// The WAL must come back to its limit although some reader is always open.
func TestWALStaysBounded(t *testing.T) {
	o := options()
	o.CheckpointBytes = 256 << 10
	d := open(t, filepath.Join(t.TempDir(), "x.db"), o)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 { // overlapping readers, each longer than a write
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_ = d.Read(t.Context(), func(conn *sqlite.Conn) error {
					_, err := sqlitex.ResultInt(conn.Prep("SELECT count(*) FROM t"))
					time.Sleep(3 * time.Millisecond)
					return err
				})
			}
		})
	}
	var largest int64
	for range 300 {
		if err := d.Write(t.Context(), insert(100<<10)); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(d.Path() + "-wal"); err == nil {
			largest = max(largest, info.Size())
		}
	}
	close(stop)
	wg.Wait()
	if limit := int64(8 * o.CheckpointBytes); largest > limit {
		t.Errorf("WAL grew to %d bytes of 30 MB written, want at most %d", largest, limit)
	}
}
