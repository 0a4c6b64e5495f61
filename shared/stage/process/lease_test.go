package process

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	sqlite "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/store"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// clock is a settable time, for leases that end.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// openStore opens the event store in a file; handles on one path are like processes.
func openStore(t testing.TB, path string, now func() time.Time) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), path, sqlite.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newStore(t testing.TB, now func() time.Time) *sqlite.Store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "events.db"), now)
}

// one delivers one event.
func one(ctx context.Context, s *Stage, e event.Event) pipeline.Outcome {
	return s.Do(ctx, []event.Event{e})[0]
}

// accident is what goes wrong with one delivery of an event.
type accident string

const (
	none           accident = "none"
	storeDown      accident = "store down"       // Acquire fails
	handlerFails   accident = "handler fails"    // transiently; the lease is given back
	handlerPanics  accident = "handler panics"   // likewise
	crash          accident = "crash"            // between the effect and its record
	answerLost     accident = "answer lost"      // the record is written, the caller sees an error
	releaseMissing accident = "release missing"  // the handler fails and its lease is not given back
	crashAfter     accident = "crash before ack" // everything was done and published; the delivery comes again
)

// unreliable lets accidents happen to a store.
type unreliable struct {
	Leases
	now       accident
	completed map[event.Key]bool // recorded in the store, whatever the caller was told
}

var errDown error = fault.New(fault.StoreUnreachable, "connection refused")

func (u *unreliable) Acquire(ctx context.Context, r store.LeaseRequest) (store.Acquired, store.Lease, []byte, error) {
	if u.now == storeDown {
		return 0, store.Lease{}, nil, errDown
	}
	return u.Leases.Acquire(ctx, r)
}

func (u *unreliable) Finish(ctx context.Context, l store.Lease, s store.Status, result []byte) (bool, error) {
	if u.now == crash || u.now == releaseMissing {
		return false, errDown
	}
	ok, err := u.Leases.Finish(ctx, l, s, result)
	if ok && s == store.Completed {
		u.completed[l.Key] = true
	}
	if u.now == answerLost {
		return false, errDown
	}
	return ok, err
}

// However often an event is delivered and whatever breaks in between: once its effect
// is on record, it does not happen again, and what is published is always the same. Before
// that, it happens again only where it must: after a failed attempt or a crash before
// the record. Tokens grow with every attempt.
func TestEffectIsNotRepeated(t *testing.T) {
	clock := newClock()
	db := newStore(t, clock.Now)
	id := 0
	rapid.Check(t, func(rt *rapid.T) {
		id++
		a := rapid.SampledFrom([]act{actForward, actChange, actFurther, actDrop}).Draw(rt, "act")
		accidents := rapid.SliceOfN(rapid.SampledFrom([]accident{
			none, storeDown, handlerFails, handlerPanics, crash, answerLost, releaseMissing, crashAfter,
		}), 0, 8).Draw(rt, "accidents")

		e := newEvent(rt, "effect", id, a)
		leases := &unreliable{Leases: db, completed: map[event.Key]bool{}}
		runs, published := 0, []string(nil)
		var tokens []int64
		registry, err := handlers.NewRegistry([]handlers.Handler{{Type: "effect", Effect: func(ctx context.Context, e event.Event, token int64) (handlers.Result, error) {
			runs++
			tokens = append(tokens, token)
			switch leases.now {
			case handlerFails, releaseMissing:
				return handlers.Result{}, errPlanned
			case handlerPanics:
				panic("planned")
			}
			return perform(ctx, e)
		}}})
		if err != nil {
			rt.Fatal(err)
		}
		s, err := New(Options{Handlers: registry, Leases: leases, Now: clock.Now})
		if err != nil {
			rt.Fatal(err)
		}
		for _, acc := range append(accidents, none, none) {
			leases.now = acc
			before, recorded := runs, leases.completed[e.Key()]
			out := one(context.Background(), s, e)
			if fault.ReasonOf(out.Err) == fault.LeaseHeld {
				if runs != before {
					rt.Fatalf("%s: the effect ran while another held the lease", acc)
				}
				clock.advance(2 * leaseNoDeadline) // the lease that was not given back ends
				out = one(context.Background(), s, e)
			}
			if recorded && runs != before {
				rt.Fatalf("%s: the effect was repeated after it was recorded", acc)
			}
			if !recorded && acc != storeDown && runs != before+1 {
				rt.Fatalf("%s: the effect ran %d times, want once", acc, runs-before)
			}
			if out.Err == nil {
				wantOutcome(rt, &e, a, out)
				published = append(published, out.Dropped+jsons(out.Forward))
			}
			switch wantErr := !recorded && acc != none && acc != crashAfter || acc == storeDown; {
			case wantErr != (out.Err != nil):
				rt.Fatalf("%s: got error %v", acc, out.Err)
			case wantErr && (fault.KindOf(out.Err) == fault.Unstarted) != (acc == storeDown), fault.KindOf(out.Err) == fault.Permanent:
				rt.Fatalf("%s: %v is %v", acc, out.Err, fault.KindOf(out.Err))
			}
		}
		if len(slices.Compact(slices.Clone(published))) != 1 {
			rt.Fatalf("redeliveries published different results: %q", published)
		}
		if !slices.IsSorted(tokens) || len(slices.Compact(slices.Clone(tokens))) != len(tokens) {
			rt.Fatalf("tokens do not grow: %v", tokens)
		}
	})
}

// A failed attempt gives its lease back: the retry need not wait until it ends.
func TestFailedAttemptGivesLeaseBack(t *testing.T) {
	clock := newClock()
	db := newStore(t, clock.Now)
	world := newEffects()
	s := stageFor(t, world, Options{Leases: db, Now: clock.Now})
	for i, a := range []act{actFail, actPanic} {
		e := newEvent(t, "effect", i, a)
		for attempt := 1; attempt <= 3; attempt++ {
			wantOutcome(t, &e, a, one(t.Context(), s, e))
			if world.count(&e) != attempt {
				t.Fatalf("%s: %d effects after %d attempts", a, world.count(&e), attempt)
			}
		}
		rec, err := db.Get(t.Context(), e.Key())
		if err != nil || rec.Status != store.Pending || rec.Lease == nil || !strings.Contains(rec.Lease.Error, "planned") {
			t.Errorf("%s: record %+v, lease %+v, %v; want PENDING with the error", a, rec, rec.Lease, err)
		}
	}
}

// A rejected event is FAILED in the store, so an operator finds it; a redrive may run it again.
func TestRejectedEffect(t *testing.T) {
	clock := newClock()
	db := newStore(t, clock.Now)
	world := newEffects()
	s := stageFor(t, world, Options{Leases: db, Now: clock.Now})
	for attempt := 1; attempt <= 2; attempt++ {
		e := newEvent(t, "effect", 1, actReject)
		wantOutcome(t, &e, actReject, one(t.Context(), s, e))
		rec, err := db.Get(t.Context(), e.Key())
		if err != nil || rec.Status != store.Failed || !strings.Contains(rec.Lease.Error, string(fault.HandlerRejected)) {
			t.Errorf("record %+v, %v, want FAILED with the reason", rec, err)
		}
		if world.count(&e) != attempt {
			t.Errorf("%d effects after %d deliveries", world.count(&e), attempt)
		}
	}
}

// Without the store an effect is not begun, and that is no attempt.
func TestUnreachableStoreIsNoAttempt(t *testing.T) {
	world := newEffects()
	s := stageFor(t, world, Options{Leases: &unreliable{Leases: newStore(t, time.Now), now: storeDown}})
	e := newEvent(t, "effect", 1, actForward)
	wantFault(t, one(t.Context(), s, e), fault.StoreUnreachable)
	if n := world.count(&e); n != 0 {
		t.Errorf("%d effects", n)
	}
}

// A rejection that could not be recorded is not dead-lettered yet: the store would show
// the event as PROCESSING for ever. The effect was begun, so it is an attempt, whatever
// kept its record from the store.
func TestUnrecordedRejectionIsRetried(t *testing.T) {
	db := newStore(t, time.Now)
	s := stageFor(t, newEffects(), Options{Leases: &unreliable{Leases: db, now: crash}})
	wantFault(t, one(t.Context(), s, newEvent(t, "effect", 1, actReject)), fault.StoreUnavailable)
}

// The invocation is stopped while the effect happens: it is recorded all the same.
func TestEffectIsRecordedAfterStop(t *testing.T) {
	world := newEffects()
	ctx, stop := context.WithCancel(t.Context())
	registry, err := handlers.NewRegistry([]handlers.Handler{{Type: "effect", Effect: func(ctx context.Context, e event.Event, token int64) (handlers.Result, error) {
		world.happen(&e, token)
		stop()
		return perform(ctx, e)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Handlers: registry, Leases: newStore(t, time.Now), Now: time.Now, Grace: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	e := newEvent(t, "effect", 1, actChange)
	wantOutcome(t, &e, actChange, one(ctx, s, e))
	wantOutcome(t, &e, actChange, one(t.Context(), s, e))
	if n := world.count(&e); n != 1 {
		t.Errorf("%d effects, want 1", n)
	}
}

// An effect that outlives its lease, which another invocation then takes over, must not
// publish: the other's result counts. Neither may it dead-letter.
func TestLeaseLost(t *testing.T) {
	for _, a := range []act{actForward, actReject} {
		t.Run(string(a), func(t *testing.T) {
			clock := newClock()
			path := filepath.Join(t.TempDir(), "events.db")
			world := newEffects()
			other := stageFor(t, world, Options{Leases: openStore(t, path, clock.Now), Now: clock.Now})
			var others pipeline.Outcome
			registry, err := handlers.NewRegistry([]handlers.Handler{{Type: "effect", Effect: func(ctx context.Context, e event.Event, token int64) (handlers.Result, error) {
				world.happen(&e, token)
				clock.advance(2 * leaseNoDeadline)
				others = one(ctx, other, newEvent(t, "effect", 1, actForward))
				return perform(ctx, e)
			}}})
			if err != nil {
				t.Fatal(err)
			}
			slow, err := New(Options{Handlers: registry, Leases: openStore(t, path, clock.Now), Now: clock.Now})
			if err != nil {
				t.Fatal(err)
			}
			e := newEvent(t, "effect", 1, a)
			wantFault(t, one(t.Context(), slow, e), fault.LeaseLost)
			wantOutcome(t, &e, actForward, pipeline.Outcome{Forward: []event.Event{e}, Err: others.Err})
			if tokens := world.tokens[e.Key()]; len(tokens) != 2 || tokens[0] >= tokens[1] {
				t.Errorf("tokens %v: the one that took over must have the greater", tokens)
			}
		})
	}
}

// Several invocations get the same event at once, on handles as of several processes.
func TestConcurrentDeliveries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	world := newEffects()
	const invocations, events = 4, 8
	batch := make([]event.Event, events)
	for i := range batch {
		batch[i] = newEvent(t, "effect", i, actFurther)
	}
	outs := make([][]pipeline.Outcome, invocations)
	var wg sync.WaitGroup
	for i := range invocations {
		s := stageFor(t, world, Options{Leases: openStore(t, path, time.Now), Effects: 2})
		wg.Go(func() { outs[i] = s.Do(t.Context(), batch) })
	}
	wg.Wait()
	for k := range batch {
		done := 0
		for i := range outs {
			switch reason := fault.ReasonOf(outs[i][k].Err); {
			case outs[i][k].Err == nil:
				done++
				wantOutcome(t, &batch[k], actFurther, outs[i][k])
			case reason != fault.LeaseHeld:
				t.Errorf("event %d: %v", k, outs[i][k].Err)
			}
		}
		if done == 0 || world.count(&batch[k]) != 1 {
			t.Errorf("event %d: %d invocations succeeded with %d effects, want some with one", k, done, world.count(&batch[k]))
		}
	}
}

// An event that is twice in a batch has one effect, also when effects run at once.
func TestTwiceInOneBatch(t *testing.T) {
	world := newEffects()
	s := stageFor(t, world, Options{Leases: newStore(t, time.Now), Effects: 2})
	e := newEvent(t, "effect", 1, actForward)
	done := 0
	for _, o := range s.Do(t.Context(), []event.Event{e, e}) {
		if o.Err == nil {
			done++
		} else if fault.ReasonOf(o.Err) != fault.LeaseHeld {
			t.Error(o.Err)
		}
	}
	if done == 0 || world.count(&e) != 1 {
		t.Errorf("%d outcomes, %d effects", done, world.count(&e))
	}
}

// watchedLeases notes the requests.
type watchedLeases struct {
	Leases
	requests []store.LeaseRequest
}

func (w *watchedLeases) Acquire(ctx context.Context, r store.LeaseRequest) (store.Acquired, store.Lease, []byte, error) {
	w.requests = append(w.requests, r)
	return w.Leases.Acquire(ctx, r)
}

type discard struct{}

func (discard) Send(_ context.Context, msgs []queue.Message) []error { return make([]error, len(msgs)) }

// The lease is owned by the invocation and does not end before it does, though the
// Runner ends the stage's context earlier.
func TestLeaseIsTheInvocations(t *testing.T) {
	leases := &watchedLeases{Leases: newStore(t, time.Now)}
	s := stageFor(t, newEffects(), Options{Leases: leases})
	r := &pipeline.Runner{Name: "process", Stage: s, Out: discard{}, MaxAttempts: 1, Now: time.Now}
	ctx := testTimeout(t, 30*time.Second)
	e := newEvent(t, "effect", 1, actForward)
	errs, err := r.Accept(ctx, pipeline.Invocation{RequestID: "req-1"}, []event.Event{e})
	if err != nil || len(errs) != 1 || errs[0] != nil {
		t.Fatal(errs, err)
	}
	deadline, _ := ctx.Deadline()
	if len(leases.requests) != 1 {
		t.Fatalf("%d leases, want 1", len(leases.requests))
	}
	if r := leases.requests[0]; r.Owner != "req-1" || r.Until.Before(deadline) || r.Until.After(deadline.Add(leaseBeyond)) ||
		string(r.Event.JSON()) != string(e.JSON()) {
		t.Errorf("lease request %s until %v, the invocation ends %v", r.Owner, r.Until, deadline)
	}
}

// strangeLeases answers with what no store should.
type strangeLeases struct{ Leases }

func (strangeLeases) Acquire(context.Context, store.LeaseRequest) (store.Acquired, store.Lease, []byte, error) {
	return 0, store.Lease{}, nil, nil
}

func TestUnknownAnswerRunsNothing(t *testing.T) {
	world := newEffects()
	s := stageFor(t, world, Options{Leases: strangeLeases{}})
	e := newEvent(t, "effect", 1, actForward)
	wantFault(t, one(t.Context(), s, e), fault.Bug)
	if world.count(&e) != 0 {
		t.Error("the effect ran without a lease")
	}
}
