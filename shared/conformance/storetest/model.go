package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// model drives a store and a plain map with the same random calls: whatever the map
// answers, the store must answer, for every combination of filters.
func model(t *testing.T, fresh func(t *testing.T) Opener) {
	ctx := testContext(t)
	rapid.Check(t, func(rt *rapid.T) {
		c := newClock()
		s := fresh(t)(t, Options{Now: c.Now})
		defer func() {
			if err := s.Close(); err != nil {
				rt.Errorf("Close: %v", err)
			}
		}()
		m := &machine{ctx: ctx, s: s, clock: c, known: make(map[event.Key]*entry)}
		rt.Repeat(map[string]func(*rapid.T){
			"write":   m.write,
			"acquire": m.acquire,
			"finish":  m.finish,
			"reset":   m.reset,
			"advance": func(t *rapid.T) { c.advance(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second) },
			"list":    m.list,
			"get":     m.get,
		})
		m.counters(rt)
	})
}

// machine is the model: every event the store knows of.
type machine struct {
	ctx   context.Context
	s     store.Store
	clock *clock
	known map[event.Key]*entry
}

type entry struct {
	event  event.Event // as stored, else as it came to its last lease
	at     time.Time
	stored time.Time // zero: not stored
	leased bool
	status store.Status // of the lease
	lease  store.Lease
	result string
	past   []store.Lease
}

// visible is the status by which the event is listed.
func (e *entry) visible() store.Status {
	if !e.stored.IsZero() {
		return store.Completed
	}
	return e.status
}

var (
	words   = rapid.SampledFrom([]string{"", "a", "b", "a.b", "ü"})
	typeSet = rapid.SampledFrom([]string{"a", "a.b", "a.b.c", "a.bc", "b", "a..b", "com.github.issues.opened.by.an.app.in.an.organisation.x"})
	someKey = rapid.Custom(func(t *rapid.T) event.Key {
		return event.Key{
			Source: rapid.SampledFrom([]string{"/s", "/s/t", "urn:s"}).Draw(t, "source"),
			ID:     rapid.StringMatching(`[ab]{1,3}`).Draw(t, "id"),
		}
	})
	someTime = rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.IntRange(0, 4).Draw(t, "has time") == 0 {
			return time.Time{}
		}
		return start.Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "minute")) * time.Minute)
	})
	someEvent = rapid.Custom(func(t *rapid.T) spec {
		k := someKey.Draw(t, "key")
		return spec{
			ID: k.ID, Source: k.Source, Type: typeSet.Draw(t, "type"), Subject: words.Draw(t, "subject"),
			Tenant: words.Draw(t, "tenant"), User: words.Draw(t, "user"),
			Time: someTime.Draw(t, "time"), Received: someTime.Draw(t, "received"),
			Data: rapid.SampledFrom([]string{"", "1", `{"a":1}`}).Draw(t, "data"),
		}
	})
	someFilter = rapid.Custom(func(t *rapid.T) store.Filter {
		f := store.Filter{
			Tenant: words.Draw(t, "tenant"), Subject: words.Draw(t, "subject"), User: words.Draw(t, "user"),
			Status: rapid.SampledFrom([]store.Status{"", store.Pending, store.Processing, store.Completed, store.Failed}).Draw(t, "status"),
			From:   someTime.Draw(t, "from"), To: someTime.Draw(t, "to"),
		}
		if rapid.Bool().Draw(t, "by source") {
			f.Source = someKey.Draw(t, "of").Source
		}
		f.Type = rapid.SampledFrom([]string{"", "a", "a.b", "a.*", "a.b.*", "a..*", "b.*", "com.github.*", "com.github.issues.opened.by.an.app.in.an.organisation.*"}).Draw(t, "type")
		// Most filters select on one or two attributes; all seven at once select nothing.
		for _, p := range []*string{&f.Tenant, &f.Subject, &f.User, &f.Type, &f.Source} {
			if rapid.IntRange(0, 2).Draw(t, "drop") != 0 {
				*p = ""
			}
		}
		return f
	})
)

func (m *machine) write(t *rapid.T) {
	specs := rapid.SliceOfN(someEvent, 0, 12).Draw(t, "batch")
	batch := batchOf(t, specs...)
	results, err := m.s.Write(m.ctx, batch)
	if err != nil {
		t.Fatalf("Write: %v", err)
	}
	now := m.clock.Now()
	for i := range batch {
		e := m.known[batch[i].Key()]
		duplicate := e != nil && !e.stored.IsZero()
		if results[i].Err != nil || results[i].Duplicate != duplicate {
			t.Fatalf("Write: event %d: %+v, want duplicate %v", i, results[i], duplicate)
		}
		if duplicate {
			continue
		}
		if e == nil {
			e = &entry{}
			m.known[batch[i].Key()] = e
		}
		e.event, e.stored, e.at = batch[i], now, timeOf(specs[i], now)
	}
}

// timeOf is store.TimeOf, written again.
func timeOf(s spec, stored time.Time) time.Time {
	switch {
	case !s.Time.IsZero():
		return s.Time
	case !s.Received.IsZero():
		return s.Received
	default:
		return stored
	}
}

func (m *machine) acquire(t *rapid.T) {
	sp := someEvent.Draw(t, "event")
	r := store.LeaseRequest{
		Event: sp.event(t),
		Owner: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "owner"),
		Until: m.clock.Now().Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second),
	}
	got := acquire(m.ctx, t, m.s, r)
	e := m.known[r.Event.Key()]
	if e == nil {
		e = &entry{}
		m.known[r.Event.Key()] = e
	}
	switch {
	case e.leased && e.status == store.Completed:
		if got.a != store.Done || got.result != e.result {
			t.Fatalf("Acquire: %+v, want Done with %q", got, e.result)
		}
		return
	case e.leased && e.status == store.Processing && e.lease.Until.After(m.clock.Now()):
		if got.a != store.Held || got.lease != e.lease {
			t.Fatalf("Acquire: %+v, want Held by %+v", got, e.lease)
		}
		return
	}
	want := store.Lease{Key: r.Event.Key(), Owner: r.Owner, Until: r.Until, Token: got.lease.Token, Attempt: e.lease.Attempt + 1}
	if got.a != store.Granted || got.lease != want || got.lease.Token <= e.lease.Token {
		t.Fatalf("Acquire: %+v, want Granted %+v, token after %d", got, want, e.lease.Token)
	}
	if e.leased {
		e.past = append(e.past, e.lease)
	}
	e.leased, e.status, e.lease = true, store.Processing, got.lease
	if e.stored.IsZero() {
		e.event, e.at = r.Event, timeOf(sp, m.clock.Now())
	}
}

// leased draws an event that has a lease.
func (m *machine) leased(t *rapid.T) *entry {
	keys := slices.SortedFunc(maps.Keys(m.known), compareKeys)
	keys = slices.DeleteFunc(keys, func(k event.Key) bool { return !m.known[k].leased })
	if len(keys) == 0 {
		t.Skip("no lease yet")
	}
	return m.known[rapid.SampledFrom(keys).Draw(t, "leased")]
}

func compareKeys(a, b event.Key) int {
	return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.ID, b.ID))
}

func (m *machine) finish(t *rapid.T) {
	e := m.leased(t)
	status := rapid.SampledFrom([]store.Status{store.Completed, store.Failed, store.Pending}).Draw(t, "status")
	result := rapid.SampledFrom([]string{"r1", "r2"}).Draw(t, "result")
	if len(e.past) > 0 && rapid.Bool().Draw(t, "by a past owner") {
		if finish(m.ctx, t, m.s, rapid.SampledFrom(e.past).Draw(t, "past"), status, result) {
			t.Fatalf("Finish by a past owner: ok")
		}
		return
	}
	ok := finish(m.ctx, t, m.s, e.lease, status, result)
	if want := e.status != store.Completed || status == store.Completed; ok != want {
		t.Fatalf("Finish(%s) of a lease that is %s: %v", status, e.status, ok)
	}
	if e.status == store.Completed {
		return
	}
	e.status = status
	if status == store.Completed {
		e.result, e.lease.Error = result, ""
	} else {
		e.lease.Error = result
	}
}

func (m *machine) reset(t *rapid.T) {
	f := someFilter.Draw(t, "filter")
	before := m.clock.Now().Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "before")) * time.Second)
	limit := rapid.IntRange(1, 4).Draw(t, "limit")
	stuck := func(e *entry) bool { return e.visible() == store.Processing && e.lease.Until.Before(before) }
	var want []*entry
	for _, e := range m.matching(f) {
		if stuck(e) {
			want = append(want, e)
		}
	}
	got, err := m.s.Reset(m.ctx, f, before, limit)
	if err != nil {
		t.Fatalf("Reset: %v", err)
	}
	if len(got) != min(limit, len(want)) {
		t.Fatalf("Reset(%+v): %d keys, want %d of %d", f, len(got), limit, len(want))
	}
	for _, k := range got {
		e := m.known[k]
		if e == nil || !slices.Contains(want, e) || e.status == store.Pending {
			t.Fatalf("Reset(%+v): %v was not stuck", f, k)
		}
		e.status = store.Pending
	}
	for _, e := range want { // longest ended first
		if e.status == store.Processing && slices.ContainsFunc(got, func(k event.Key) bool { return m.known[k].lease.Until.After(e.lease.Until) }) {
			t.Fatalf("Reset(%+v): %v ended earlier than one that was reset", f, e.lease.Key)
		}
	}
}

// matching is the listing: newest first, the greater key first among equal times.
func (m *machine) matching(f store.Filter) []*entry {
	var out []*entry
	for _, e := range m.known {
		if matches(f, e) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *entry) int {
		return cmp.Or(b.at.Compare(a.at), compareKeys(b.event.Key(), a.event.Key()))
	})
	return out
}

func matches(f store.Filter, e *entry) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	typ := is(f.Type, e.event.Type())
	if strings.HasSuffix(f.Type, ".*") {
		typ = strings.HasPrefix(e.event.Type(), strings.TrimSuffix(f.Type, "*"))
	}
	return typ && is(f.Tenant, e.event.Tenant()) && is(f.Subject, e.event.Subject()) &&
		is(f.User, e.event.User()) && is(f.Source, e.event.Source()) && is(string(f.Status), string(e.visible())) &&
		(f.From.IsZero() || !e.at.Before(f.From)) && (f.To.IsZero() || e.at.Before(f.To))
}

func (m *machine) list(t *rapid.T) {
	f := someFilter.Draw(t, "filter")
	limit := rapid.IntRange(1, 9).Draw(t, "limit")
	want := m.matching(f)
	got := listAll(m.ctx, t, m.s, f, limit)
	var wantKeys, gotKeys []string
	for _, e := range want {
		wantKeys = append(wantKeys, fmt.Sprint(e.event.Key()))
	}
	for i := range got {
		gotKeys = append(gotKeys, fmt.Sprint(got[i].Event.Key()))
	}
	if diff := gocmp.Diff(wantKeys, gotKeys); diff != "" {
		t.Fatalf("List(%+v) in pages of %d (-want +got):\n%s", f, limit, diff)
	}
	for i := range got {
		compareRecord(t, want[i], got[i])
	}
	if n := count(m.ctx, t, m.s, f); n != int64(len(want)) {
		t.Fatalf("Count(%+v) = %d, want %d", f, n, len(want))
	}
}

func (m *machine) get(t *rapid.T) {
	k := someKey.Draw(t, "key")
	rec, err := m.s.Get(m.ctx, k)
	e := m.known[k]
	if e == nil {
		if !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("Get(%v): %v, want ErrNotFound", k, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("Get(%v): %v", k, err)
	}
	compareRecord(t, e, rec)
}

func compareRecord(t *rapid.T, want *entry, got store.Record) {
	t.Helper()
	if string(got.Event.JSON()) != string(want.event.JSON()) || got.Status != want.visible() ||
		!got.Stored.Equal(want.stored) || !got.Received.Equal(want.event.Received()) {
		t.Fatalf("record %s %s stored %v received %v, want %s %s stored %v", got.Event.JSON(), got.Status, got.Stored, got.Received,
			want.event.JSON(), want.visible(), want.stored)
	}
	switch {
	case want.visible() == store.Completed:
		if got.Lease != nil {
			t.Fatalf("completed with lease %+v", got.Lease)
		}
	case got.Lease == nil || *got.Lease != want.lease:
		t.Fatalf("lease %+v, want %+v", got.Lease, want.lease)
	}
}

// counters of all stored events, at the end.
func (m *machine) counters(t *rapid.T) {
	want := make(map[store.Counter]int64)
	var stored int64
	for _, e := range m.known {
		if !e.stored.IsZero() {
			stored++
			want[store.Counter{Hour: e.at.Truncate(time.Hour), Tenant: e.event.Tenant(), Type: e.event.Type()}]++
		}
	}
	got := make(map[store.Counter]int64)
	for _, c := range counters(m.ctx, t, m.s, "", time.Time{}, time.Time{}) {
		got[store.Counter{Hour: c.Hour, Tenant: c.Tenant, Type: c.Type}] += c.Count
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("counters (-want +got):\n%s", diff)
	}
	equalsRebuild(m.ctx, t, m.s, stored)
}
