package store

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func openTest(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// plan is what EXPLAIN QUERY PLAN says about a statement.
func plan(t *testing.T, s *Store, sql string) []string {
	t.Helper()
	var out []string
	err := s.db.Read(t.Context(), func(conn *sqlite.Conn) error {
		return query(conn, `EXPLAIN QUERY PLAN `+sql, func(row *sqlite.Stmt) error {
			out = append(out, row.ColumnText(3))
			return nil
		})
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

var (
	search = regexp.MustCompile(`^SEARCH \w+ USING (COVERING INDEX|INDEX|PRIMARY KEY|INTEGER PRIMARY KEY) .*\([a-z_]+[=<>]\?.*\)$`)
	// maxSearch is the last entry of a B-tree, for max().
	maxSearch = regexp.MustCompile(`^SEARCH (segment|terms)$`)
	harmless  = regexp.MustCompile(`^(SCALAR SUBQUERY \d+|USE TEMP B-TREE FOR (LAST (TERM|\d TERMS) OF )?ORDER BY)$`)
)

// TestReadsSearch: every statement that a reader or a Write runs finds its rows through
// an index or a key.
func TestReadsSearch(t *testing.T) {
	s := openTest(t, Options{})
	statements := []string{
		sqlNumber, sqlNumbers, sqlSource, sqlNext, sqlMoveKey,
		sqlSegmentOf, sqlSegmentsByTime, sqlSegmentTimes, sqlAttributes, sqlIDs, sqlTerms, sqlLastTerm,
		sqlLease, sqlLeased, sqlLeasedSources, sqlFinishLease, sqlMarkStored, sqlResetLease,
		sqlAggregate, fmt.Sprintf(sqlFindSummary, "aggregate"), fmt.Sprintf(sqlSetSums, "aggregate"), fmt.Sprintf(sqlSetLatest, "aggregate"), sqlCounters, sqlTenantCounters,
	}
	for _, c := range everyCriteria(t) {
		list, _ := sqlListLeased(c)
		count, _ := sqlCountLeased(c)
		reset, _ := sqlStuck(c)
		statements = append(statements, list, count, reset)
	}
	for _, sql := range statements {
		for _, step := range plan(t, s, sql) {
			if !search.MatchString(step) && !maxSearch.MatchString(step) && !harmless.MatchString(step) {
				t.Errorf("%s\n\tplan: %s", sql, step)
			}
		}
	}
	// The two exceptions: the first entry of an index, and all of the open segments,
	// which are at most layout.sealSegments.
	for sql, want := range map[string]string{
		sqlAnyLeased:  "SCAN lease USING COVERING INDEX lease_time",
		sqlOpenBounds: "SCAN open_segment",
		sqlOpenFirsts: "SCAN open_segment",
		sqlOpenTerms:  "SCAN open_segment",
	} {
		if got := strings.Join(plan(t, s, sql), "; "); got != want {
			t.Errorf("%s\n\tplan: %s, want %s", sql, got, want)
		}
	}
}

// everyCriteria has every combination of filters, with and without a cursor.
func everyCriteria(t *testing.T) []*criteria {
	var out []*criteria
	for bits := range 1 << 9 {
		on := func(i int, v string) string {
			if bits>>i&1 == 0 {
				return ""
			}
			return v
		}
		f := store.Filter{
			Subject: on(0, "s"), User: on(1, "u"), Source: on(2, "/s"), Tenant: on(3, "t"),
			Type: on(4, "a.b"), Status: store.Status(on(5, "FAILED")),
		}
		if bits>>6&1 == 1 && f.Type != "" {
			f.Type = "a.*"
		}
		if bits>>7&1 == 1 {
			f.From = time.UnixMilli(1)
		}
		cursor := ""
		if bits>>8&1 == 1 {
			cursor = f.Cursor(store.Position{Time: time.UnixMilli(5), Key: event.Key{Source: "/s", ID: "1"}})
		}
		c, err := newCriteria(f, cursor)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// TestEachFilterHasItsIndex: for leased events the index is the filter's own.
func TestEachFilterHasItsIndex(t *testing.T) {
	s := openTest(t, Options{})
	for _, test := range []struct {
		f    store.Filter
		want string
	}{
		{store.Filter{}, "lease_time (time>? AND time<?)"},
		{store.Filter{Subject: "x"}, "lease_subject (subject=? AND time>? AND time<?)"},
		{store.Filter{User: "x"}, "lease_user (user=? AND time>? AND time<?)"},
		{store.Filter{Source: "x"}, "lease_source (source=? AND time>? AND time<?)"},
		{store.Filter{Tenant: "x"}, "lease_tenant (tenant=? AND time>? AND time<?)"},
		{store.Filter{Type: "x"}, "lease_type (type=? AND time>? AND time<?)"},
		{store.Filter{Type: "x.*"}, "lease_type (type>? AND type<?)"},
		{store.Filter{Status: store.Failed}, "lease_status (status=? AND time>? AND time<?)"},
	} {
		c, err := newCriteria(test.f, "")
		if err != nil {
			t.Fatal(err)
		}
		sql, _ := sqlListLeased(c)
		if got := plan(t, s, sql)[0]; !strings.HasSuffix(got, test.want) {
			t.Errorf("%+v: plan %s, want %s", test.f, got, test.want)
		}
	}
}

// tiny makes many segments, blocks and rows of blocks of few events.
var tiny = layout{segmentBytes: 600, sealSegments: 5, sealEvents: 40, chunkEntries: 7}

func mustParse(t testing.TB, format string, args ...any) event.Event {
	t.Helper()
	e, err := event.Parse(fmt.Appendf(nil, format, args...))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestFiltersFindTheirSegments: each filter looks only at the segments that have a
// matching event, whether these are sealed or open.
func TestFiltersFindTheirSegments(t *testing.T) {
	s := openTest(t, Options{})
	s.layout = tiny
	const segments = 123 // 24 blocks, 3 open segments
	for i := range segments {
		e := mustParse(t, `{"specversion":"1.0","id":"%d","source":"/s/%d","type":"a.t%d.x","subject":"sub-%d","tenantid":"ten-%d","userid":"u-%d","time":"2026-01-01T00:%02d:%02dZ"}`,
			i, i, i, i, i, i, i/60, i%60)
		if _, err := s.Write(t.Context(), []event.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	candidates := func(f store.Filter) (found []int64) {
		t.Helper()
		c, err := newCriteria(f, "")
		if err != nil {
			t.Fatal(err)
		}
		err = s.db.Read(t.Context(), func(conn *sqlite.Conn) error {
			return eachCandidate(conn, c, func(seg candidate) error {
				found = append(found, seg.first)
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for i := range segments {
		at := time.Date(2026, 1, 1, 0, i/60, i%60, 0, time.UTC)
		for _, f := range []store.Filter{
			{Subject: fmt.Sprint("sub-", i)}, {User: fmt.Sprint("u-", i)}, {Source: fmt.Sprint("/s/", i)}, {Tenant: fmt.Sprint("ten-", i)},
			{Type: fmt.Sprintf("a.t%d.x", i)}, {Type: fmt.Sprintf("a.t%d.*", i)}, {Type: "a.*", Subject: fmt.Sprint("sub-", i)},
			{From: at, To: at.Add(time.Millisecond)}, {Type: "a.*", From: at, To: at.Add(time.Millisecond)},
		} {
			if got := candidates(f); len(got) != 1 || got[0] != int64(i) {
				t.Fatalf("%+v looks at segments %v, want %d", f, got, i)
			}
		}
	}
	if got := candidates(store.Filter{Type: "a.*"}); len(got) != segments {
		t.Errorf("a prefix of all looks at %d segments of %d", len(got), segments)
	}
	for _, f := range []store.Filter{{Subject: "sub"}, {User: "sub-1"}, {Type: "a.t1.*", Subject: "sub-2"}, {Type: "b.*"}} {
		if got := candidates(f); len(got) != 0 {
			t.Errorf("%+v looks at segments %v", f, got)
		}
	}
}

// TestPageReadsNoOlderSegments: a page of the newest events does not look at segments
// that are all older; here these are damaged.
func TestPageReadsNoOlderSegments(t *testing.T) {
	s := openTest(t, Options{})
	s.layout = tiny
	for i := range 50 {
		e := mustParse(t, `{"specversion":"1.0","id":"%d","source":"/s","type":"a","tenantid":"t","time":"2026-01-01T00:00:%02dZ"}`, i, i)
		if _, err := s.Write(t.Context(), []event.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	err := s.db.Write(t.Context(), func(conn *sqlite.Conn) error {
		return exec(conn, `UPDATE segment SET attributes = x'00', ids = x'00', events = x'00' WHERE first < 40`)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []store.Filter{{}, {Tenant: "t"}} {
		page, err := s.List(t.Context(), f, 9, "")
		if err != nil || len(page.Records) != 9 {
			t.Errorf("List(%+v) of the newest: %d records, %v", f, len(page.Records), err)
		}
		if _, err := s.List(t.Context(), f, 11, ""); err == nil {
			t.Errorf("List(%+v) beyond the damage: no error", f)
		}
	}
}
