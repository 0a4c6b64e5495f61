package metrics

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

var epoch = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// clock is set by the test.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

type fixture struct {
	*Recorder
	*clock
	path string
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	return reopened(t, filepath.Join(t.TempDir(), "metrics.db"))
}

func reopened(t testing.TB, path string) *fixture {
	t.Helper()
	c := &clock{t: epoch}
	r, err := Open(context.Background(), path, Options{Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return &fixture{r, c, path}
}

func (f *fixture) flush(t testing.TB) {
	t.Helper()
	if err := f.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) reader(t testing.TB) *Reader {
	t.Helper()
	r, err := OpenReader(context.Background(), f.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func total(t testing.TB, r *Reader, metric, stage string) Point {
	t.Helper()
	p, err := r.Total(context.Background(), metric, stage)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func query(t testing.TB, r *Reader, metric, stage string, from, to time.Time, period time.Duration) []Point {
	t.Helper()
	ps, err := r.Query(context.Background(), metric, stage, from, to, period)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func (f *fixture) rows(t testing.TB, period int) (n int) {
	t.Helper()
	if err := f.db.Read(context.Background(), func(conn *sqlite.Conn) (err error) {
		stmt := conn.Prep("SELECT count(*) FROM points WHERE period = ?")
		stmt.BindInt64(1, int64(period))
		n, err = sqlitex.ResultInt(stmt)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func (f *fixture) empty(t testing.TB) {
	t.Helper()
	if err := f.db.Write(context.Background(), func(conn *sqlite.Conn) error {
		return sqlitex.ExecuteScript(conn, "DELETE FROM points; DELETE FROM series;", nil)
	}); err != nil {
		t.Fatal(err)
	}
}
