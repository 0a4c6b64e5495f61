package process

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// planned is one event of a random batch.
type planned struct {
	eventType string
	act       act
}

var anyPlanned = rapid.Custom(func(t *rapid.T) planned {
	p := planned{
		eventType: rapid.SampledFrom([]string{"pure", "effect", "other", "counted"}).Draw(t, "type"),
		act: rapid.SampledFrom([]act{
			actForward, actChange, actFurther, actDrop, actFail, actReject, actPanic, actNilPanic, actRekey,
		}).Draw(t, "act"),
	}
	if rapid.IntRange(0, 9).Draw(t, "hangs") == 0 {
		p.act = rapid.SampledFrom([]act{actHang, actDeaf}).Draw(t, "hang")
	}
	return p
})

// Whatever the handlers do, there is one outcome per event, in order, and it is the
// event's own: a panic, an error or a hang of one is not seen at its neighbours, except
// that behind a hang the time is up, and those events count as not begun.
func TestOutcomes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		plan := rapid.SliceOfN(anyPlanned, 0, 12).Draw(rt, "batch")
		width := rapid.IntRange(1, 3).Draw(rt, "effects at once")
		batch := make([]event.Event, len(plan))
		for i, p := range plan {
			batch[i] = newEvent(rt, p.eventType, i, p.act)
		}
		world := newEffects()
		var outs []pipeline.Outcome
		var took time.Duration
		synctest.Test(t, func(t *testing.T) {
			s := stageFor(t, world, Options{Effects: width})
			start := time.Now()
			outs = s.Do(testTimeout(t, 10*time.Second), batch)
			took = time.Since(start)
			outlast()
		})
		if len(outs) != len(batch) {
			rt.Fatalf("%d outcomes for %d events", len(outs), len(batch))
		}
		if limit := 10*time.Second + DefaultGrace; took > limit {
			rt.Fatalf("took %v, want at most %v", took, limit)
		}
		begun := willBegin(plan, width)
		for i, p := range plan {
			switch {
			case !begun[i]:
				wantFault(rt, outs[i], fault.DeadlineNear)
				if n := world.count(&batch[i]); n != 0 {
					rt.Errorf("event %d was not begun but had its effect", i)
				}
			case p.eventType == "other", p.eventType == "counted":
				wantOutcome(rt, &batch[i], actForward, outs[i])
			default:
				wantOutcome(rt, &batch[i], p.act, outs[i])
			}
		}
	})
}

// willBegin says which events are begun: those without effects one after the other up
// to the first that hangs, then the effects while one of width places is free.
func willBegin(plan []planned, width int) []bool {
	begun := make([]bool, len(plan))
	for _, effects := range []bool{false, true} {
		places := 1
		if effects {
			places = width
		}
		for i, p := range plan {
			if (p.eventType == "effect") != effects {
				continue
			}
			if places == 0 {
				return begun
			}
			begun[i] = true
			if hangs := p.act == actHang || p.act == actDeaf; hangs && (p.eventType == "pure" || effects) {
				places--
			}
		}
		if places == 0 {
			return begun
		}
	}
	return begun
}

func TestEmptyBatch(t *testing.T) {
	if outs := stageFor(t, newEffects(), Options{}).Do(t.Context(), nil); len(outs) != 0 {
		t.Errorf("got %v", outs)
	}
}

func TestPanicNamesItsPlace(t *testing.T) {
	s := stageFor(t, newEffects(), Options{})
	for _, eventType := range []string{"pure", "effect"} {
		outs := s.Do(t.Context(), []event.Event{newEvent(t, eventType, 1, actNilPanic)})
		wantFault(t, outs[0], fault.HandlerPanic)
		text := outs[0].Err.Error()
		for _, want := range []string{"assignment to entry in nil map", "at process.perform (helpers_test.go:"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in %q", want, text)
			}
		}
		if strings.Contains(text, "runtime.") || len(text) > 512 {
			t.Errorf("want only the frames that matter: %q", text)
		}
	}
}

// Not a panic, so recover does not see it; the goroutine ends all the same.
func TestGoexitIsContained(t *testing.T) {
	registry, err := handlers.NewRegistry([]handlers.Handler{
		{Type: "exit", Handle: func(context.Context, event.Event) (handlers.Result, error) {
			runtime.Goexit()
			return handlers.Result{}, nil
		}},
		{Type: "effect", Effect: func(context.Context, event.Event, int64) (handlers.Result, error) {
			runtime.Goexit()
			return handlers.Result{}, nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Handlers: registry, Leases: newMemLeases(time.Now), Now: time.Now, Effects: 2})
	if err != nil {
		t.Fatal(err)
	}
	outs := s.Do(t.Context(), []event.Event{newEvent(t, "x", 0, actForward), newEvent(t, "exit", 1, actForward), newEvent(t, "x", 2, actForward)})
	wantOutcome(t, new(newEvent(t, "x", 0, actForward)), actForward, outs[0])
	wantFault(t, outs[1], fault.HandlerPanic)
	wantFault(t, outs[2], fault.DeadlineNear) // redelivered, not lost
	outs = s.Do(t.Context(), []event.Event{newEvent(t, "effect", 3, actForward)})
	wantFault(t, outs[0], fault.HandlerPanic)
}

// brokenLeases panics, as a bug in an adapter would.
type brokenLeases struct{}

func (brokenLeases) Acquire(context.Context, store.LeaseRequest) (store.Acquired, store.Lease, []byte, error) {
	panic("bug in the adapter")
}

func (brokenLeases) Finish(context.Context, store.Lease, store.Status, []byte) (bool, error) {
	return false, nil
}

func TestPanicOfTheStoreIsContained(t *testing.T) {
	s := stageFor(t, newEffects(), Options{Leases: brokenLeases{}})
	outs := s.Do(t.Context(), []event.Event{newEvent(t, "effect", 1, actForward), newEvent(t, "pure", 2, actForward)})
	wantFault(t, outs[0], fault.Bug)
	if text := outs[0].Err.Error(); !strings.Contains(text, "bug in the adapter") || !strings.Contains(text, "brokenLeases.Acquire") {
		t.Errorf("got %q", text)
	}
	if outs[1].Err != nil {
		t.Errorf("the neighbour failed: %v", outs[1].Err)
	}
}

// Rule 6: what has less than the margin left is not begun; a short invocation keeps a
// quarter of its time.
func TestMargin(t *testing.T) {
	for _, c := range []struct {
		deadline, each time.Duration
		begun          int
	}{
		{10 * time.Second, time.Second, 9},           // margin 1 s: at 9 s no event is begun
		{2 * time.Second, 250 * time.Millisecond, 6}, // margin 500 ms
		{time.Second, 0, 20},
		{0, 0, 0},
	} {
		t.Run(fmt.Sprint(c.deadline), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran atomic.Int32
				registry, err := handlers.NewRegistry([]handlers.Handler{{Type: "slow", Handle: func(_ context.Context, e event.Event) (handlers.Result, error) {
					ran.Add(1)
					time.Sleep(c.each)
					return handlers.Forward(e), nil
				}}})
				if err != nil {
					t.Fatal(err)
				}
				s, err := New(Options{Handlers: registry, Now: time.Now})
				if err != nil {
					t.Fatal(err)
				}
				batch := make([]event.Event, 20)
				for i := range batch {
					batch[i] = newEvent(t, "slow", i, actForward)
				}
				outs := s.Do(testTimeout(t, c.deadline), batch)
				if int(ran.Load()) != c.begun {
					t.Errorf("%d events begun, want %d", ran.Load(), c.begun)
				}
				for i, o := range outs {
					if i < c.begun && o.Err != nil {
						t.Errorf("event %d: %v", i, o.Err)
					}
					if i >= c.begun {
						wantFault(t, o, fault.DeadlineNear)
					}
				}
			})
		})
	}
}

// An event that always hangs must count its attempts, or it would come back for ever. One
// that was cut off because the process stops must not.
func TestInterrupted(t *testing.T) {
	for _, a := range []act{actHang, actDeaf} {
		for _, eventType := range []string{"pure", "effect"} {
			t.Run(fmt.Sprint(eventType, a, " at the deadline"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := stageFor(t, newEffects(), Options{})
					outs := s.Do(testTimeout(t, time.Minute), []event.Event{newEvent(t, eventType, 1, a)})
					wantFault(t, outs[0], fault.HandlerTimeout)
					outlast()
				})
			})
			t.Run(fmt.Sprint(eventType, a, " at a stop"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := stageFor(t, newEffects(), Options{})
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(time.Second, cancel)
					outs := s.Do(ctx, []event.Event{newEvent(t, eventType, 1, a)})
					wantFault(t, outs[0], fault.DeadlineNear)
					outlast()
				})
			})
		}
	}
}

// A handler's own shorter timeout is an error like any other.
func TestOwnTimeoutIsNotTheDeadline(t *testing.T) {
	e := newEvent(t, "x", 1, actForward)
	err := classify(t.Context(), &e, fmt.Errorf("call: %w", context.DeadlineExceeded))
	wantFault(t, pipeline.Fail(err), fault.HandlerError)
}

// Errors of package fault keep what they say; a rejection is one even at the deadline.
func TestClassify(t *testing.T) {
	ended, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	e := newEvent(t, "order.placed", 1, actForward)
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want fault.Reason
	}{
		{t.Context(), errPlanned, fault.HandlerError},
		{t.Context(), handlers.Reject("no"), fault.HandlerRejected},
		{t.Context(), fmt.Errorf("lookup: %w", fault.New(fault.BreakerOpen, "bank")), fault.BreakerOpen},
		{t.Context(), fault.New(fault.StoreUnavailable, "x"), fault.StoreUnavailable},
		{ended, fault.Wrap(context.DeadlineExceeded, fault.StoreUnavailable, "read"), fault.HandlerTimeout},
		{ended, fmt.Errorf("%w: %w", handlers.Reject("no"), context.DeadlineExceeded), fault.HandlerRejected},
		{ended, errPlanned, fault.HandlerError},
	} {
		err := classify(c.ctx, &e, c.err)
		wantFault(t, pipeline.Fail(err), c.want)
		if !strings.Contains(err.Error(), "order.placed") {
			t.Errorf("%q does not name the event type", err)
		}
	}
}

// After Do has returned, a deaf handler goes on alone: the stage does not touch the
// batch any more (pipeline.Stage), which the race detector checks here.
func TestBatchIsFreeAfterDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := newEffects()
		s := stageFor(t, world, Options{Effects: 2})
		batch := []event.Event{
			newEvent(t, "effect", 0, actDeaf), newEvent(t, "effect", 1, actDeaf), newEvent(t, "effect", 2, actForward),
		}
		kept := slices.Clone(batch)
		outs := s.Do(testTimeout(t, time.Second), batch)
		clear(batch)
		outlast()
		wantFault(t, outs[0], fault.HandlerTimeout)
		wantFault(t, outs[2], fault.DeadlineNear)
		if world.count(&kept[2]) != 0 {
			t.Error("an event was begun after Do had returned")
		}
	})
}

// The effect of a deaf handler that finishes after all is recorded: its redelivery
// does not repeat it.
func TestLateEffectIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := newEffects()
		leases := newMemLeases(time.Now)
		s := stageFor(t, world, Options{Leases: leases})
		e := newEvent(t, "effect", 1, actDeaf)
		wantFault(t, s.Do(testTimeout(t, time.Second), []event.Event{e})[0], fault.HandlerTimeout)
		wantFault(t, s.Do(testTimeout(t, time.Second), []event.Event{e})[0], fault.LeaseHeld)
		outlast()
		out := s.Do(testTimeout(t, time.Second), []event.Event{e})[0]
		if out.Err != nil || len(out.Forward) != 1 || !bytes.Equal(out.Forward[0].JSON(), e.JSON()) || world.count(&e) != 1 {
			t.Errorf("got %+v after %d effects", out, world.count(&e))
		}
	})
}

func TestNewRefuses(t *testing.T) {
	effect, err := handlers.NewRegistry([]handlers.Handler{{Type: "a", Effect: func(context.Context, event.Event, int64) (handlers.Result, error) {
		return handlers.Result{}, nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	none, err := handlers.NewRegistry(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"no handlers":     {Now: time.Now},
		"no clock":        {Handlers: none},
		"no leases":       {Handlers: effect, Now: time.Now},
		"negative margin": {Handlers: none, Now: time.Now, Margin: -1},
		"negative grace":  {Handlers: none, Now: time.Now, Grace: -1},
		"negative width":  {Handlers: none, Now: time.Now, Effects: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(Options{Handlers: none, Now: time.Now}); err != nil {
		t.Errorf("pure handlers need no leases: %v", err)
	}
}
