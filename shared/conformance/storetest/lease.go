package storetest

import (
	"context"
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

type answer struct {
	a      store.Acquired
	lease  store.Lease
	result string
}

func acquire(ctx context.Context, t tb, l store.Leases, r store.LeaseRequest) answer {
	t.Helper()
	a, lease, result, err := l.Acquire(ctx, r)
	if err != nil {
		t.Fatalf("Acquire(%v): %v", r.Event.Key(), err)
	}
	return answer{a, lease, string(result)}
}

func wantAcquired(ctx context.Context, t tb, l store.Leases, r store.LeaseRequest, want store.Acquired) answer {
	t.Helper()
	got := acquire(ctx, t, l, r)
	if got.a != want {
		t.Fatalf("Acquire by %s: %v, want %v", r.Owner, acquiredName(got.a), acquiredName(want))
	}
	return got
}

func acquiredName(a store.Acquired) string {
	switch a {
	case store.Granted:
		return "Granted"
	case store.Held:
		return "Held"
	case store.Done:
		return "Done"
	default:
		return fmt.Sprintf("Acquired(%d)", int(a))
	}
}

func finish(ctx context.Context, t tb, l store.Leases, lease store.Lease, s store.Status, result string) bool {
	t.Helper()
	ok, err := l.Finish(ctx, lease, s, []byte(result))
	if err != nil {
		t.Fatalf("Finish(%v, %s): %v", lease.Key, s, err)
	}
	return ok
}

func wantStatus(ctx context.Context, t tb, r store.Reader, k event.Key, want store.Status) store.Record {
	t.Helper()
	rec := get(ctx, t, r, k)
	if rec.Status != want {
		t.Errorf("status %s, want %s", rec.Status, want)
	}
	if hasLease := rec.Lease != nil; hasLease != (want != store.Completed) {
		t.Errorf("status %s with lease %+v", want, rec.Lease)
	}
	for _, s := range []store.Status{store.Pending, store.Processing, store.Completed, store.Failed} {
		n := count(ctx, t, r, store.Filter{Status: s, Source: k.Source})
		if (n == 1) != (s == want) || n > 1 {
			t.Errorf("%d events with status %s, while the only event is %s", n, s, want)
		}
	}
	return rec
}

// leaseLifecycle: nothing → PROCESSING → FAILED → PROCESSING → COMPLETED → stored.
func leaseLifecycle(t *testing.T, open Opener) {
	ctx, c := testContext(t), newClock()
	s := handle(t, open, Options{Now: c.Now})
	e := spec{ID: "1", Subject: "s", Data: `{"v":1}`, Received: start.Add(-time.Second)}.event(t)
	until := start.Add(30 * time.Second)
	req := store.LeaseRequest{Event: e, Owner: "inv-1", Until: until}

	first := wantAcquired(ctx, t, s, req, store.Granted)
	want := store.Lease{Key: e.Key(), Owner: "inv-1", Until: until, Token: first.lease.Token, Attempt: 1}
	if diff := cmp.Diff(want, first.lease); diff != "" {
		t.Errorf("first lease (-want +got):\n%s", diff)
	}
	rec := wantStatus(ctx, t, s, e.Key(), store.Processing)
	if string(rec.Event.JSON()) != string(e.JSON()) || !rec.Stored.IsZero() || !rec.Received.Equal(e.Received()) {
		t.Errorf("record of a leased event: %+v", rec)
	}
	if diff := cmp.Diff(&want, rec.Lease); diff != "" {
		t.Errorf("lease in the record (-want +got):\n%s", diff)
	}
	held := wantAcquired(ctx, t, s, store.LeaseRequest{Event: e, Owner: "inv-2", Until: until.Add(time.Minute)}, store.Held)
	if diff := cmp.Diff(want, held.lease); diff != "" {
		t.Errorf("the lease in the way (-want +got):\n%s", diff)
	}
	wantAcquired(ctx, t, s, req, store.Held) // its own owner is no exception: once per invocation

	if !finish(ctx, t, s, first.lease, store.Failed, "mail server said no") {
		t.Fatal("Finish by the owner: not ok")
	}
	want.Error = "mail server said no"
	if diff := cmp.Diff(&want, wantStatus(ctx, t, s, e.Key(), store.Failed).Lease); diff != "" {
		t.Errorf("failed lease (-want +got):\n%s", diff)
	}

	second := wantAcquired(ctx, t, s, store.LeaseRequest{Event: e, Owner: "inv-3", Until: until}, store.Granted)
	if second.lease.Token <= first.lease.Token || second.lease.Attempt != 2 || second.lease.Error != "" {
		t.Errorf("second lease %+v after %+v", second.lease, first.lease)
	}
	if !finish(ctx, t, s, second.lease, store.Completed, `["outputs"]`) {
		t.Fatal("Finish by the owner: not ok")
	}
	rec = wantStatus(ctx, t, s, e.Key(), store.Completed)
	if !rec.Stored.IsZero() {
		t.Errorf("stored %v, but only its effect is known", rec.Stored)
	}
	if got := wantAcquired(ctx, t, s, req, store.Done); got.result != `["outputs"]` {
		t.Errorf("recorded result %q", got.result)
	}
	wantFinished(ctx, t, s, second.lease)

	write(ctx, t, s, []event.Event{e})
	rec = wantStatus(ctx, t, s, e.Key(), store.Completed)
	if !rec.Stored.Equal(start) {
		t.Errorf("stored %v, want %v", rec.Stored, start)
	}
	if got := wantAcquired(ctx, t, s, req, store.Done); got.result != `["outputs"]` {
		t.Errorf("recorded result %q after the event was stored", got.result)
	}
}

// wantFinished: a COMPLETED lease can be completed again (a lost answer is retried),
// changes no result, and never fails.
func wantFinished(ctx context.Context, t *testing.T, s store.Store, l store.Lease) {
	t.Helper()
	if !finish(ctx, t, s, l, store.Completed, "other") {
		t.Error("completing again: not ok")
	}
	if finish(ctx, t, s, l, store.Failed, "late") || finish(ctx, t, s, l, store.Pending, "late") {
		t.Error("a completed effect was set to FAILED or PENDING")
	}
	wantStatus(ctx, t, s, l.Key, store.Completed)
	if _, err := s.Finish(ctx, l, store.Processing, nil); err == nil {
		t.Error("Finish with PROCESSING: no error")
	}
}

func leaseExactlyOneGranted(t *testing.T, open Opener) {
	const owners, rounds = 8, 10
	ctx, c := testContext(t), newClock()
	handles := []store.Store{handle(t, open, Options{Now: c.Now}), handle(t, open, Options{Now: c.Now})}
	e := spec{ID: "1"}.event(t)
	var token int64
	for round := range rounds {
		answers := make([]answer, owners)
		until := c.Now().Add(time.Minute)
		var wg sync.WaitGroup
		for i := range owners {
			wg.Go(func() {
				a, l, _, err := handles[i%len(handles)].Acquire(ctx, store.LeaseRequest{Event: e, Owner: fmt.Sprint(i), Until: until})
				if err != nil {
					t.Errorf("Acquire: %v", err)
				}
				answers[i] = answer{a: a, lease: l}
			})
		}
		wg.Wait()
		granted := 0
		for i, a := range answers {
			switch a.a {
			case store.Granted:
				granted++
				if a.lease.Owner != fmt.Sprint(i) || a.lease.Token <= token || a.lease.Attempt != round+1 {
					t.Errorf("round %d: granted %+v after token %d", round, a.lease, token)
				}
			case store.Held:
			default:
				t.Errorf("round %d: %s", round, acquiredName(a.a))
			}
		}
		if granted != 1 {
			t.Fatalf("round %d: %d leases granted at once", round, granted)
		}
		token = answers[slices.IndexFunc(answers, func(a answer) bool { return a.a == store.Granted })].lease.Token
		c.advance(time.Minute) // exactly to the end of the lease
	}
}

// leaseTakeOver: fencing. The first owner comes back after its lease ended and another
// took it over: it can change nothing.
func leaseTakeOver(t *testing.T, open Opener) {
	ctx, c := testContext(t), newClock()
	s := handle(t, open, Options{Now: c.Now})
	e := spec{ID: "1"}.event(t)
	slow := wantAcquired(ctx, t, s, store.LeaseRequest{Event: e, Owner: "slow", Until: start.Add(time.Minute)}, store.Granted)
	c.advance(time.Minute - time.Millisecond)
	next := store.LeaseRequest{Event: e, Owner: "next", Until: start.Add(2 * time.Minute)}
	wantAcquired(ctx, t, s, next, store.Held)
	c.advance(time.Millisecond)
	taken := wantAcquired(ctx, t, s, next, store.Granted)
	if taken.lease.Token <= slow.lease.Token {
		t.Errorf("token %d after %d", taken.lease.Token, slow.lease.Token)
	}
	for _, status := range []store.Status{store.Completed, store.Failed, store.Pending} {
		if finish(ctx, t, s, slow.lease, status, "from the slow one") {
			t.Errorf("the first owner set %s after another took over", status)
		}
	}
	if rec := wantStatus(ctx, t, s, e.Key(), store.Processing); rec.Lease.Owner != "next" {
		t.Errorf("lease %+v", rec.Lease)
	}
	if !finish(ctx, t, s, taken.lease, store.Completed, "right") {
		t.Error("Finish by the second owner: not ok")
	}
	if finish(ctx, t, s, slow.lease, store.Completed, "wrong") {
		t.Error("the first owner completed after the second had")
	}
	if got := wantAcquired(ctx, t, s, next, store.Done); got.result != "right" {
		t.Errorf("result %q", got.result)
	}
	unknown := store.Lease{Key: event.Key{Source: "/none", ID: "none"}, Token: 1}
	if finish(ctx, t, s, unknown, store.Completed, "x") {
		t.Error("Finish of a lease that never was: ok")
	}
}

// leaseFinishLate: a lease that ended but that nobody took over can be finished; its
// effect did happen.
func leaseFinishLate(t *testing.T, open Opener) {
	ctx, c := testContext(t), newClock()
	s := handle(t, open, Options{Now: c.Now})
	e := spec{ID: "1"}.event(t)
	req := store.LeaseRequest{Event: e, Owner: "slow", Until: start.Add(time.Minute)}
	l := wantAcquired(ctx, t, s, req, store.Granted)
	c.advance(time.Hour)
	if _, err := s.Reset(ctx, store.Filter{}, c.Now(), 10); err != nil {
		t.Fatal(err)
	}
	wantStatus(ctx, t, s, e.Key(), store.Pending)
	if !finish(ctx, t, s, l.lease, store.Completed, "late") {
		t.Error("late Finish, nobody took over: not ok")
	}
	if got := wantAcquired(ctx, t, s, req, store.Done); got.result != "late" {
		t.Errorf("result %q", got.result)
	}
}

// leaseGiveBack: PENDING gives the lease back at once, with the reason.
func leaseGiveBack(t *testing.T, open Opener) {
	ctx, s := testContext(t), handle(t, open, Options{})
	e := spec{ID: "1"}.event(t)
	req := store.LeaseRequest{Event: e, Owner: "a", Until: start.Add(time.Hour)}
	first := wantAcquired(ctx, t, s, req, store.Granted)
	if !finish(ctx, t, s, first.lease, store.Pending, "try later") {
		t.Fatal("Finish by the owner: not ok")
	}
	if rec := wantStatus(ctx, t, s, e.Key(), store.Pending); rec.Lease == nil || rec.Lease.Error != "try later" {
		t.Errorf("lease given back: %+v", rec.Lease)
	}
	second := wantAcquired(ctx, t, s, req, store.Granted)
	if second.lease.Token <= first.lease.Token || second.lease.Attempt != 2 {
		t.Errorf("lease %+v after %+v", second.lease, first.lease)
	}
}

func leaseReset(t *testing.T, open Opener) {
	ctx, c := testContext(t), newClock()
	s := handle(t, open, Options{Now: c.Now})
	lease := func(id, tenant string, minutes int) store.Lease {
		r := store.LeaseRequest{Event: spec{ID: id, Tenant: tenant}.event(t), Owner: "inv", Until: start.Add(time.Duration(minutes) * time.Minute)}
		return wantAcquired(ctx, t, s, r, store.Granted).lease
	}
	lease("a1", "a", 3)
	lease("a2", "a", 1)
	lease("a3", "a", 2)
	stuck := lease("b1", "b", 1)
	lease("a-running", "a", 60)
	finish(ctx, t, s, lease("a-failed", "a", 1), store.Failed, "no")
	finish(ctx, t, s, lease("a-done", "a", 1), store.Completed, "")
	lease("a-stored", "a", 1)
	write(ctx, t, s, batchOf(t, spec{ID: "a-stored", Tenant: "a"}))

	reset := func(f store.Filter, before time.Time, limit int, want ...string) {
		t.Helper()
		keys, err := s.Reset(ctx, f, before, limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range keys {
			got = append(got, k.ID)
		}
		if diff := cmp.Diff(want, got, equalEmpty); diff != "" {
			t.Errorf("Reset(%+v, %v, %d) (-want +got):\n%s", f, before, limit, diff)
		}
	}
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	reset(store.Filter{Tenant: "a"}, at(1), 10) // ended before, not at, that time
	reset(store.Filter{Tenant: "a", Status: store.Failed}, at(10), 10)
	reset(store.Filter{Tenant: "a"}, at(10), 0)
	reset(store.Filter{Tenant: "a"}, at(10), 2, "a2", "a3")
	reset(store.Filter{Tenant: "a", Status: store.Processing}, at(10), 2, "a1")
	reset(store.Filter{Tenant: "a"}, at(10), 2)
	pending := listAll(ctx, t, s, store.Filter{Status: store.Pending}, 10)
	if got := strings.Join(ids(pending), " "); got != "a3 a2 a1" {
		t.Errorf("pending: %s", got)
	}
	again := wantAcquired(ctx, t, s, store.LeaseRequest{Event: spec{ID: "a1", Tenant: "a"}.event(t), Owner: "new", Until: at(60)}, store.Granted)
	if again.lease.Attempt != 2 {
		t.Errorf("attempt %d after the reset, want 2", again.lease.Attempt)
	}
	reset(store.Filter{}, at(10), 10, "b1")
	wantAcquired(ctx, t, s, store.LeaseRequest{Event: spec{ID: "b1", Tenant: "b"}.event(t), Owner: "new", Until: at(60)}, store.Granted)
	if finish(ctx, t, s, stuck, store.Completed, "") {
		t.Error("the owner before the reset finished after another took over")
	}
}

// leaseStored: once stored an event is COMPLETED, listed once, whatever its lease said,
// as it was stored and not as it was leased; the lease itself lives on.
func leaseStored(t *testing.T, open Opener) {
	ctx, c := testContext(t), newClock()
	s := handle(t, open, Options{Now: c.Now})
	came := spec{ID: "1", Type: "came", Tenant: "a", Time: start}.event(t)
	changed := spec{ID: "1", Type: "changed", Tenant: "a", Time: start}.event(t)
	req := store.LeaseRequest{Event: came, Owner: "inv", Until: start.Add(time.Minute)}
	l := wantAcquired(ctx, t, s, req, store.Granted).lease
	write(ctx, t, s, []event.Event{changed})
	if rec := wantStatus(ctx, t, s, came.Key(), store.Completed); string(rec.Event.JSON()) != string(changed.JSON()) {
		t.Errorf("record %s", rec.Event.JSON())
	}
	if got := listAll(ctx, t, s, store.Filter{Tenant: "a"}, 10); len(got) != 1 || got[0].Event.Type() != "changed" {
		t.Errorf("listed: %+v", got)
	}
	if n := count(ctx, t, s, store.Filter{Type: "came"}); n != 0 {
		t.Errorf("%d events as they were leased are still listed", n)
	}
	wantAcquired(ctx, t, s, req, store.Held)
	c.advance(time.Minute)
	second := wantAcquired(ctx, t, s, req, store.Granted)
	if second.lease.Token <= l.Token {
		t.Errorf("token %d after %d", second.lease.Token, l.Token)
	}
	wantStatus(ctx, t, s, came.Key(), store.Completed)
	finish(ctx, t, s, second.lease, store.Failed, "no")
	wantStatus(ctx, t, s, came.Key(), store.Completed)
}

// leaseStoredWithoutLease: an event stored without a lease has no effect on record.
func leaseStoredWithoutLease(t *testing.T, open Opener) {
	ctx, s := testContext(t), handle(t, open, Options{})
	e := spec{ID: "1"}.event(t)
	write(ctx, t, s, []event.Event{e})
	l := wantAcquired(ctx, t, s, store.LeaseRequest{Event: e, Owner: "inv", Until: start.Add(time.Minute)}, store.Granted).lease
	wantStatus(ctx, t, s, e.Key(), store.Completed)
	if !finish(ctx, t, s, l, store.Completed, "r") {
		t.Error("Finish by the owner: not ok")
	}
	wantStatus(ctx, t, s, e.Key(), store.Completed)
}
