package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func aggregate(ctx context.Context, t tb, s store.Analytics, source, subject string) store.Aggregate {
	t.Helper()
	a, err := s.Aggregate(ctx, source, subject)
	if err != nil {
		t.Fatalf("Aggregate(%q, %q): %v", source, subject, err)
	}
	return a
}

func counters(ctx context.Context, t tb, s store.Analytics, tenant string, from, to time.Time) []store.Counter {
	t.Helper()
	c, err := s.Counters(ctx, tenant, from, to)
	if err != nil {
		t.Fatalf("Counters(%q, %v, %v): %v", tenant, from, to, err)
	}
	return c
}

// equalsRebuild: the counters sum to the number of stored events, and a rebuild finds
// nothing to correct.
func equalsRebuild(ctx context.Context, t tb, s store.Analytics, stored int64) {
	t.Helper()
	var sum int64
	for _, c := range counters(ctx, t, s, "", time.Time{}, time.Time{}) {
		sum += c.Count
	}
	if sum != stored {
		t.Errorf("the counters sum to %d, want %d", sum, stored)
	}
	differed, err := s.Rebuild(ctx)
	if err != nil {
		t.Fatalf("Rebuild: %v", err)
	}
	if differed != 0 {
		t.Errorf("a rebuild corrected %d aggregates and counters", differed)
	}
}

func analyticsAggregate(t *testing.T, open Opener) {
	ctx := testContext(t)
	s := handle(t, open, Options{Aggregate: func(typ string) bool { return strings.HasPrefix(typ, "agg.") }})
	at := func(min int) time.Time { return start.Add(time.Duration(min) * time.Minute) }
	sum := func(id, typ string, min int, data string) spec {
		return spec{ID: id, Type: typ, Subject: "p1", Time: at(min), Data: data}
	}
	want := store.Aggregate{Source: defaultSource, Subject: "p1"}
	step := func(specs ...spec) {
		t.Helper()
		write(ctx, t, s, batchOf(t, specs...))
		if diff := cmp.Diff(want, aggregate(ctx, t, s, defaultSource, "p1")); diff != "" {
			t.Errorf("after %v (-want +got):\n%s", specs, diff)
		}
	}
	if _, err := s.Aggregate(ctx, defaultSource, "p1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Aggregate of nothing: %v, want ErrNotFound", err)
	}

	want.Version, want.First, want.Last = 2, at(10), at(20)
	want.ByType = map[string]int64{"agg.a": 1, "agg.b": 1}
	want.LatestID, want.LatestType, want.LatestData = "2", "agg.b", []byte(`{ "v": 2 }`)
	step(sum("2", "agg.b", 20, `{ "v": 2 }`), sum("1", "agg.a", 10, `{"v":1}`))

	step(sum("1", "agg.a", 10, `{"v":1}`), sum("2", "agg.b", 99, `{"again":true}`)) // redelivered
	step(sum("x", "other", 50, `{"v":"x"}`))                                        // a type that does not ask

	want.Version, want.First, want.ByType["agg.a"] = 3, at(5), 2 // older, coming later
	step(sum("9", "agg.a", 5, `{"v":9}`))

	want.Version, want.ByType["agg.a"] = 4, 3 // same time, smaller id: not the latest
	step(sum("10", "agg.a", 20, `{"v":10}`))

	want.Version, want.ByType["agg.c"] = 5, 1 // same time, greater id: the latest; no data
	want.LatestID, want.LatestType, want.LatestData = "3", "agg.c", nil
	step(sum("3", "agg.c", 20, ""))

	want.Version, want.Last, want.ByType["agg.a"] = 6, at(30), 4
	want.LatestID, want.LatestType, want.LatestData = "0", "agg.a", []byte(`null`)
	step(sum("0", "agg.a", 30, `null`))

	write(ctx, t, s, batchOf(t, spec{ID: "n", Type: "agg.a", Time: at(1)}, spec{ID: "o", Source: "/o", Type: "agg.a", Subject: "p1", Time: at(1)}))
	step()
	if got := aggregate(ctx, t, s, defaultSource, ""); got.Version != 1 || got.LatestID != "n" {
		t.Errorf("aggregate of no subject: %+v", got)
	}
	if got := aggregate(ctx, t, s, "/o", "p1"); got.Version != 1 || got.LatestID != "o" {
		t.Errorf("aggregate of another source: %+v", got)
	}
	equalsRebuild(ctx, t, s, 9)
}

func analyticsCounters(t *testing.T, open Opener) {
	ctx, c := testContext(t), newClock()
	s := handle(t, open, Options{Now: c.Now})
	hour := start.Truncate(time.Hour)
	in := func(h, min int) time.Time {
		return hour.Add(time.Duration(h)*time.Hour + time.Duration(min)*time.Minute)
	}
	before1970 := time.Date(1969, 12, 31, 22, 30, 0, 0, time.UTC)
	batch := batchOf(t,
		spec{ID: "1", Tenant: "a", Type: "x", Time: in(0, 0)},
		spec{ID: "2", Tenant: "a", Type: "x", Time: in(0, 59)},
		spec{ID: "3", Tenant: "a", Type: "y", Time: in(0, 1)},
		spec{ID: "4", Tenant: "b", Type: "x", Time: in(1, 0)},
		spec{ID: "5", Tenant: "a", Type: "x", Received: in(-1, 59)}, // no event time
		spec{ID: "6", Type: "x"},                                    // neither: stored at start
		spec{ID: "7", Tenant: "a", Type: "x", Time: before1970},
		spec{ID: "8", Tenant: "a", Type: "x", Time: in(1, 0).In(time.FixedZone("", 5*3600+1800))},
	)
	write(ctx, t, s, batch)
	c.advance(5 * time.Hour)
	write(ctx, t, s, batch)
	write(ctx, t, s, append(batch[3:], batch[:3]...))
	all := []store.Counter{
		{Hour: before1970.Truncate(time.Hour), Tenant: "a", Type: "x", Count: 1},
		{Hour: in(-1, 0), Tenant: "a", Type: "x", Count: 1},
		{Hour: in(0, 0), Tenant: "", Type: "x", Count: 1},
		{Hour: in(0, 0), Tenant: "a", Type: "x", Count: 2},
		{Hour: in(0, 0), Tenant: "a", Type: "y", Count: 1},
		{Hour: in(1, 0), Tenant: "a", Type: "x", Count: 1},
		{Hour: in(1, 0), Tenant: "b", Type: "x", Count: 1},
	}
	for _, test := range []struct {
		tenant   string
		from, to time.Time
		want     []store.Counter
	}{
		{"", time.Time{}, time.Time{}, all},
		{"b", time.Time{}, time.Time{}, all[6:]},
		{"", in(0, 30), in(1, 0), all[2:5]}, // the hour that from falls in is included
		{"a", in(0, 0), in(1, 1), all[3:6]},
		{"", time.Time{}, in(-1, 0), all[:1]},
		{"none", time.Time{}, time.Time{}, nil},
	} {
		got := counters(ctx, t, s, test.tenant, test.from, test.to)
		if len(got) == 0 && len(test.want) == 0 {
			continue
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("Counters(%q, %v, %v) (-want +got):\n%s", test.tenant, test.from, test.to, diff)
		}
	}
	equalsRebuild(ctx, t, s, int64(len(batch)))
}

func analyticsOnlyTypesThatAsk(t *testing.T, open Opener) {
	ctx, s := testContext(t), handle(t, open, Options{})
	write(ctx, t, s, batchOf(t, spec{ID: "1", Subject: "p1", Data: "1"}))
	if _, err := s.Aggregate(ctx, defaultSource, "p1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("aggregate of a type that does not ask: %v, want ErrNotFound", err)
	}
	// The answer may change with a new version of the program: a rebuild catches up.
	asks := handle(t, open, Options{Aggregate: func(string) bool { return true }})
	differed, err := asks.Rebuild(ctx)
	if err != nil || differed != 1 {
		t.Errorf("Rebuild: %d differed, %v; want the one new aggregate", differed, err)
	}
	if got := aggregate(ctx, t, asks, defaultSource, "p1"); got.Version != 1 {
		t.Errorf("aggregate after the rebuild: %+v", got)
	}
	equalsRebuild(ctx, t, asks, 1)
}

// analyticsEqualRebuild: several writers with overlapping batches in random order, twice
// over and across a reopening, leave what a rebuild and a count by hand come to.
func analyticsEqualRebuild(t *testing.T, open Opener) {
	const events, writers = 400, 4
	ctx := testContext(t)
	opts := Options{Aggregate: func(typ string) bool { return typ != "plain" }}
	all := make([]event.Event, events)
	r := rand.New(rand.NewPCG(7, 7))
	types := []string{"plain", "asks.one", "asks.two"}
	for i := range all {
		all[i] = spec{
			ID: fmt.Sprint(r.IntN(1e9), "-", i), Tenant: fmt.Sprint("t", r.IntN(3)), Type: types[r.IntN(3)], Subject: fmt.Sprint("s", r.IntN(12)),
			Time: start.Add(time.Duration(r.IntN(300)) * time.Minute), Data: fmt.Sprint(i),
		}.event(t)
	}
	for range 2 {
		var wg sync.WaitGroup
		s := handle(t, open, opts)
		for w := range writers {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(w), 3))
				mine := make([]event.Event, 0, events)
				for _, i := range r.Perm(events)[:events*2/3] {
					mine = append(mine, all[i])
				}
				for len(mine) > 0 {
					n := min(len(mine), 1+r.IntN(60))
					if _, err := s.Write(ctx, mine[:n]); err != nil {
						t.Errorf("Write: %v", err)
						return
					}
					mine = mine[n:]
				}
			})
		}
		wg.Wait()
	}
	s := handle(t, open, opts)
	write(ctx, t, s, all)
	for k, want := range aggregatesByHand(all, opts.Aggregate) {
		if diff := cmp.Diff(want, aggregate(ctx, t, s, k.Source, k.ID)); diff != "" {
			t.Errorf("aggregate of %v (-want +got):\n%s", k, diff)
		}
	}
	equalsRebuild(ctx, t, s, events)
}

// aggregatesByHand sums up distinct events; the keys are source and subject.
func aggregatesByHand(events []event.Event, asks func(string) bool) map[event.Key]store.Aggregate {
	out := make(map[event.Key]store.Aggregate)
	for i := range events {
		e := &events[i]
		if !asks(e.Type()) {
			continue
		}
		k := event.Key{Source: e.Source(), ID: e.Subject()}
		a, ok := out[k]
		if !ok {
			a = store.Aggregate{Source: k.Source, Subject: k.ID, First: e.Time(), ByType: map[string]int64{}}
		}
		a.Version++
		a.ByType[e.Type()]++
		if e.Time().Before(a.First) {
			a.First = e.Time()
		}
		if e.Time().After(a.Last) || e.Time().Equal(a.Last) && e.ID() > a.LatestID {
			a.Last, a.LatestID, a.LatestType, a.LatestData = e.Time(), e.ID(), e.Type(), e.Data()
		}
		out[k] = a
	}
	return out
}
