package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// listEachFilter is the filters by example; Model has the combinations.
func listEachFilter(t *testing.T, open Opener) {
	ctx, s := testContext(t), handle(t, open, Options{})
	at := func(min int) time.Time { return start.Add(time.Duration(min) * time.Minute) }
	write(ctx, t, s, batchOf(t,
		spec{ID: "1", Type: "com.github.push", Tenant: "acme", Subject: "repo/a", User: "kim", Time: at(1)},
		spec{ID: "2", Type: "com.github.issues.opened", Tenant: "acme", Subject: "repo/b", User: "lee", Time: at(2)},
		spec{ID: "3", Type: "com.github", Tenant: "other", Subject: "repo/a", Time: at(3)},
		spec{ID: "4", Type: "com.githubber.push", Source: "/else", User: "kim", Time: at(4)},
	))
	write(ctx, t, s, batchOf(t,
		spec{ID: "5", Type: "com.github.push", Tenant: "acme", Subject: "repo/a", User: "kim", Time: at(0)},
		spec{ID: "6", Received: at(5)},
		spec{ID: "7", Tenant: "late"}, // stored at start, in the middle of the others
		spec{ID: "8", Type: "a.b.c.d.e.f.g.h.i.j.k.l", Time: at(-1)},
		spec{ID: "9", Type: "a.b.c.d.e.f.g.h.i.j.x.l", Time: at(-2)},
	))
	for _, test := range []struct {
		f    store.Filter
		want []string
	}{
		{store.Filter{}, []string{"6", "4", "3", "2", "1", "7", "5", "8", "9"}},
		{store.Filter{Tenant: "acme"}, []string{"2", "1", "5"}},
		{store.Filter{Tenant: "acm"}, nil},
		{store.Filter{Type: "com.github.push"}, []string{"1", "5"}},
		{store.Filter{Type: "com.github.*"}, []string{"2", "1", "5"}},
		{store.Filter{Type: "com.*"}, []string{"4", "3", "2", "1", "5"}},
		{store.Filter{Type: "com.github.issues.*"}, []string{"2"}},
		{store.Filter{Type: "com.git.*"}, nil},
		{store.Filter{Type: "a.b.c.d.e.f.g.h.i.j.*"}, []string{"8", "9"}},
		{store.Filter{Type: "a.b.c.d.e.f.g.h.i.j.k.*"}, []string{"8"}},
		{store.Filter{Type: "com.github.push.*"}, nil},
		{store.Filter{Subject: "repo/a"}, []string{"3", "1", "5"}},
		{store.Filter{User: "kim"}, []string{"4", "1", "5"}},
		{store.Filter{Source: "/else"}, []string{"4"}},
		{store.Filter{Status: store.Completed}, []string{"6", "4", "3", "2", "1", "7", "5", "8", "9"}},
		{store.Filter{Status: store.Failed}, nil},
		{store.Filter{From: at(2), To: at(4)}, []string{"3", "2"}},
		{store.Filter{From: at(4)}, []string{"6", "4"}},
		{store.Filter{To: at(1)}, []string{"7", "5", "8", "9"}},
		{store.Filter{From: at(-2), To: at(5)}, []string{"4", "3", "2", "1", "7", "5", "8", "9"}},
		{store.Filter{From: at(-1), To: at(6)}, []string{"6", "4", "3", "2", "1", "7", "5", "8"}},
		{store.Filter{From: at(4), To: at(2)}, nil},
		{store.Filter{Tenant: "acme", User: "kim", Subject: "repo/a", From: at(1)}, []string{"1"}},
		{store.Filter{Tenant: "acme", User: "kim", Subject: "repo/b"}, nil},
	} {
		for _, limit := range []int{1, 2, 100} {
			if diff := cmp.Diff(test.want, ids(listAll(ctx, t, s, test.f, limit)), equalEmpty); diff != "" {
				t.Errorf("%+v, pages of %d (-want +got):\n%s", test.f, limit, diff)
			}
		}
		if n := count(ctx, t, s, test.f); n != int64(len(test.want)) {
			t.Errorf("Count(%+v) = %d, want %d", test.f, n, len(test.want))
		}
	}
}

var equalEmpty = cmp.FilterValues(func(a, b []string) bool { return len(a) == 0 && len(b) == 0 },
	cmp.Comparer(func(_, _ []string) bool { return true }))

func listCursor(t *testing.T, open Opener) {
	ctx, s := testContext(t), handle(t, open, Options{})
	for i := range 4 {
		write(ctx, t, s, batchOf(t, spec{ID: fmt.Sprint(i), Tenant: "a", Time: start.Add(time.Duration(i) * time.Second)}))
	}
	f := store.Filter{Tenant: "a"}
	page, err := s.List(ctx, f, 2, "")
	if err != nil || page.Next == "" {
		t.Fatalf("first page: %+v, %v", page, err)
	}
	other := handle(t, open, Options{})
	next, err := other.List(ctx, f, 3, page.Next) // another limit, another handle
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1", "0"}, ids(next.Records)); diff != "" || next.Next != "" {
		t.Errorf("second page (-want +got), next %q:\n%s", next.Next, diff)
	}
	for _, bad := range []struct {
		f      store.Filter
		cursor string
	}{
		{store.Filter{}, page.Next},
		{store.Filter{Tenant: "b"}, page.Next},
		{store.Filter{Tenant: "a", Status: store.Completed}, page.Next},
		{f, "x"},
		{f, page.Next[1:]},
		{f, page.Next + page.Next},
	} {
		if _, err := s.List(ctx, bad.f, 2, bad.cursor); !errors.Is(err, store.ErrBadCursor) {
			t.Errorf("List(%+v, cursor %q): %v, want ErrBadCursor", bad.f, bad.cursor, err)
		}
	}
}

func listLimit(t *testing.T, open Opener) {
	ctx, s := testContext(t), handle(t, open, Options{})
	write(ctx, t, s, batchOf(t, spec{ID: "1"}, spec{ID: "2"}))
	for _, limit := range []int{0, -1} {
		if _, err := s.List(ctx, store.Filter{}, limit, ""); err == nil {
			t.Errorf("List with limit %d: no error", limit)
		}
	}
	page, err := s.List(ctx, store.Filter{}, 2, "")
	if err != nil || len(page.Records) != 2 || page.Next != "" {
		t.Errorf("a page that holds all: %d records, next %q, %v; want 2 and no next page", len(page.Records), page.Next, err)
	}
}

// listStableWhileWriting pages through a listing while another handle writes events
// before, between and after those of the first write: each of these comes exactly once,
// in order.
func listStableWhileWriting(t *testing.T, open Opener) {
	const n = 300
	ctx, s := testContext(t), handle(t, open, Options{})
	var first []event.Event
	var want []string
	for i := range n {
		id := fmt.Sprintf("first-%03d", i)
		first = append(first, spec{ID: id, Tenant: "a", Time: start.Add(time.Duration(i/3) * time.Second)}.event(t)) // three of a time
		want = append(want, id)
	}
	write(ctx, t, s, first)
	slices.Reverse(want)

	w := handle(t, open, Options{})
	f := store.Filter{Tenant: "a"}
	var got []string
	cursor := ""
	for i := 0; i == 0 || cursor != ""; i++ {
		var batch []event.Event
		for k := range 6 {
			at := start.Add(time.Duration((i*6+k)*37%120-10) * time.Second)
			batch = append(batch, spec{ID: fmt.Sprintf("%c-later-%06d-%d", "az"[k%2], i, k), Tenant: "a", Time: at}.event(t))
		}
		write(ctx, t, w, batch[:3]) // between two pages
		var wg sync.WaitGroup
		wg.Go(func() { // and while one is read
			if _, err := w.Write(ctx, batch[3:]); err != nil {
				t.Errorf("Write: %v", err)
			}
		})
		page, err := s.List(ctx, f, 25, cursor)
		wg.Wait()
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		for _, id := range ids(page.Records) {
			if strings.HasPrefix(id, "first") {
				got = append(got, id)
			}
		}
		cursor = page.Next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events listed while others were written (-want +got):\n%s", diff)
	}
}
