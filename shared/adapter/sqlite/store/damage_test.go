package store

import (
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/internal/db"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func numbered(t testing.TB, from, to int) []event.Event {
	t.Helper()
	var batch []event.Event
	for i := from; i < to; i++ {
		batch = append(batch, mustParse(t, `{"specversion":"1.0","id":"%06d","source":"/n","type":"a","subject":"s-%d","tenantid":"t","time":"2026-01-01T00:00:00Z","data":"%x"}`,
			i, i%7, sha512.Sum512(fmt.Append(nil, i))))
	}
	return batch
}

func writeAll(t testing.TB, s *Store, batch []event.Event) {
	t.Helper()
	results, err := s.Write(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("event %d: %v", i, r.Err)
		}
	}
}

// TestNotAStore: a file that is something else is refused, named, and left as it is.
func TestNotAStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	content := []byte(strings.Repeat("this is a text file\n", 1000))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), path, Options{})
	if !errors.Is(err, db.ErrNotDatabase) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: %v; want ErrNotDatabase with the path", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != string(content) {
		t.Errorf("the file was changed: %v", err)
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "none.db"), Options{MustExist: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of no file with MustExist: %v", err)
	}
}

// TestDamagedBytes flips one byte at many places of the file: whatever still can be read
// is what was written.
func TestDamagedBytes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	batch := numbered(t, 0, 200)
	want := make(map[event.Key]string)
	for i := range batch {
		want[batch[i].Key()] = string(batch[i].JSON())
	}
	writeAll(t, s, batch)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	noticed := 0
	for at := 100; at < len(sound); at += len(sound) / 100 {
		damaged := append([]byte(nil), sound...)
		damaged[at] ^= 0x15
		copied := filepath.Join(dir, fmt.Sprintf("damaged-%d.db", at))
		if err := os.WriteFile(copied, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if readDamaged(t, copied, want) {
			noticed++
		}
		if err := os.Remove(copied); err != nil {
			t.Fatal(err)
		}
	}
	if noticed == 0 {
		t.Error("no damage was noticed")
	}
}

// readDamaged checks all that can be read, and reports whether an error was met.
func readDamaged(t *testing.T, path string, want map[event.Key]string) (noticed bool) {
	t.Helper()
	ctx := t.Context()
	s, err := Open(ctx, path, Options{})
	if err != nil {
		return true
	}
	defer func() { _ = s.Close() }()
	var got []store.Record
	page, err := s.List(ctx, store.Filter{}, 1000, "")
	noticed = err != nil
	got = append(got, page.Records...)
	for i := 0; i < len(want); i += 20 {
		rec, err := s.Get(ctx, event.Key{Source: "/n", ID: fmt.Sprintf("%06d", i)})
		if err != nil {
			noticed = true
			continue
		}
		got = append(got, rec)
	}
	for i := range got {
		e := &got[i].Event
		if string(e.JSON()) != want[e.Key()] {
			t.Errorf("%s: damaged bytes came as an event: %q", path, e.JSON())
		}
	}
	return noticed
}

// TestUnavailable: a locked file, a full disk and a cancelled call are failures of the
// whole batch that pass, and nothing of it is stored.
func TestUnavailable(t *testing.T) {
	s := openTest(t, Options{})
	writeAll(t, s, numbered(t, 0, 10))
	ofNew := mustParse(t, `{"specversion":"1.0","id":"1","source":"/new","type":"a"}`)
	var noise []byte // that does not fit in the pages that the file has
	for i := range 2000 {
		noise = fmt.Appendf(noise, "%x", sha512.Sum512(fmt.Append(nil, i)))
	}
	large := mustParse(t, `{"specversion":"1.0","id":"large","source":"/n","type":"a","data":"%s"}`, noise)
	refused := func(ctx context.Context, why error) {
		t.Helper()
		results, err := s.Write(ctx, []event.Event{ofNew, large})
		if results != nil || fault.KindOf(err) != fault.Transient || fault.ReasonOf(err) != fault.StoreUnavailable || !errors.Is(err, why) {
			t.Errorf("Write: %d results, %v; want a transient %s because of: %v", len(results), err, fault.StoreUnavailable, why)
		}
		if n, err := s.Count(t.Context(), store.Filter{}); err != nil || n != 10 {
			t.Errorf("%d events stored, %v; want 10", n, err)
		}
	}

	other, err := sqlite.OpenConn(s.db.Path(), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := exec(other, "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	refused(ctx, context.DeadlineExceeded)
	cancel()
	if err := exec(other, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}

	setMaxPages(t, s, 1) // SQLite takes the file's size instead: not a page more
	refused(t.Context(), db.ErrFull)
	setMaxPages(t, s, 1<<20)
	// The number of the source that the refused batch began with has gone to another.
	writeAll(t, s, []event.Event{mustParse(t, `{"specversion":"1.0","id":"1","source":"/other","type":"a"}`)})
	results, err := s.Write(t.Context(), []event.Event{ofNew})
	if err != nil || results[0].Duplicate {
		t.Errorf("an event of a refused batch, again: %+v, %v", results, err)
	}
	writeAll(t, s, append(numbered(t, 0, 997), large))
	if n, err := s.Count(t.Context(), store.Filter{}); err != nil || n != 1000 {
		t.Errorf("%d events stored after the disk had room again, %v; want 1000", n, err)
	}
}

func setMaxPages(t *testing.T, s *Store, n int) {
	t.Helper()
	err := s.db.Write(t.Context(), func(conn *sqlite.Conn) error {
		return exec(conn, fmt.Sprintf("PRAGMA max_page_count = %d", n))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRebuildCorrects: a rebuild finds and corrects each entry that is wrong, missing or
// too many, and says how many.
func TestRebuildCorrects(t *testing.T) {
	s := openTest(t, Options{Aggregate: func(string) bool { return true }})
	s.layout = tiny
	var batch []event.Event
	for i := range 60 {
		batch = append(batch, mustParse(t, `{"specversion":"1.0","id":"%d","source":"/s","type":"t%d","subject":"%d","tenantid":"t-%d","time":"2026-01-01T%02d:00:00Z","data":%d}`,
			i, i%2, i%10, i%3, i%4, i))
	}
	writeAll(t, s, batch)
	for _, test := range []struct {
		sql  string
		want int
	}{
		{`UPDATE counter SET count = count + 1 WHERE tenant = 't-0' AND hour % 4 = 0`, 0}, // set below
		{`DELETE FROM counter WHERE type = 't1'`, 0},
		{`INSERT INTO counter VALUES (1, 'x', 'y', 1), (2, 'x', 'y', 1)`, 2},
		{`UPDATE aggregate SET version = 99 WHERE subject = '3'`, 1},
		{`UPDATE aggregate SET latest_data = NULL, last_time = 0 WHERE subject IN ('4', '5')`, 2},
		{`DELETE FROM aggregate WHERE subject = '6'`, 1},
		{`UPDATE aggregate SET types = '{"t0":5}' WHERE subject IN ('6', '7', '8')`, 3},
		{`UPDATE aggregate SET types = '[]' WHERE subject = '9'`, 1},
		{`INSERT INTO aggregate SELECT id + 100, 99, subject, 1, 1, 1, '{}', 'x', 'y', NULL FROM aggregate WHERE subject < '2'`, 2},
		{`DELETE FROM aggregate`, 10},
	} {
		before := snapshot(t, s)
		changed := tamper(t, s, test.sql)
		if test.want == 0 {
			test.want = changed
		}
		if test.want == 0 {
			t.Errorf("%s: changes nothing", test.sql)
		}
		differed, err := s.Rebuild(t.Context())
		if err != nil || differed != test.want {
			t.Errorf("%s: Rebuild corrected %d entries, %v; want %d", test.sql, differed, err, test.want)
		}
		if after := snapshot(t, s); after != before {
			t.Errorf("%s: after Rebuild\n%s\nwant\n%s", test.sql, after, before)
		}
		if differed, err := s.Rebuild(t.Context()); err != nil || differed != 0 {
			t.Errorf("%s: a second Rebuild corrected %d entries, %v", test.sql, differed, err)
		}
	}
}

func tamper(t *testing.T, s *Store, sql string) (changed int) {
	t.Helper()
	err := s.db.Write(t.Context(), func(conn *sqlite.Conn) error {
		err := exec(conn, sql)
		changed = conn.Changes()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// snapshot is all of the tables that a rebuild makes.
func snapshot(t *testing.T, s *Store) string {
	t.Helper()
	var b strings.Builder
	err := s.db.Read(t.Context(), func(conn *sqlite.Conn) error {
		for _, sql := range []string{
			`SELECT hour, tenant, type, count FROM counter ORDER BY 1, 2, 3`,
			`SELECT source, subject, version, first_time, last_time, types, latest_id, latest_type, latest_data FROM aggregate ORDER BY 1, 2`,
		} {
			err := query(conn, sql, func(row *sqlite.Stmt) error {
				for i := range row.ColumnCount() {
					fmt.Fprintf(&b, "%s|", row.ColumnText(i))
				}
				b.WriteByte('\n')
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
