package breaker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

type stage struct {
	err   error
	calls int
	panic bool
}

func (s *stage) Do(_ context.Context, batch []event.Event) []pipeline.Outcome {
	s.calls++
	if s.panic {
		panic("test")
	}
	outs := make([]pipeline.Outcome, len(batch))
	outs[len(outs)-1].Err = s.err
	return outs
}

func down() error { return fault.Wrap(errors.New("no route"), fault.StoreUnavailable, "write") }

func TestOpensHoldsBackAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{err: down()}
		b := New(s, fault.StoreUnreachable, fault.StoreUnavailable)
		for range failures - 1 {
			b.Do(t.Context(), make([]event.Event, 3))
		}
		if b.State() != pipeline.BreakerClosed {
			t.Fatalf("after %d failed batches the breaker is %s", failures-1, b.State())
		}
		time.Sleep(time.Hour) // of synctest's clock: batches may be rare
		b.Do(t.Context(), make([]event.Event, 3))
		if b.State() != pipeline.BreakerOpen {
			t.Fatalf("after %d failed batches the breaker is %s", failures, b.State())
		}
		outs := b.Do(t.Context(), make([]event.Event, 3))
		if s.calls != failures {
			t.Error("an open breaker let a batch through")
		}
		if len(outs) != 3 {
			t.Fatalf("%d outcomes for 3 events", len(outs))
		}
		for _, o := range outs {
			if fault.KindOf(o.Err) != fault.Unstarted || fault.ReasonOf(o.Err) != fault.BreakerOpen {
				t.Errorf("held back with %v", o.Err)
			}
		}
		time.Sleep(rest + time.Second)
		b.Do(t.Context(), make([]event.Event, 1))
		if s.calls != failures+1 || b.State() != pipeline.BreakerOpen {
			t.Errorf("a failed trial: %d calls, %s", s.calls, b.State())
		}
		time.Sleep(rest + time.Second)
		s.panic = true
		func() {
			defer func() { _ = recover() }()
			b.Do(t.Context(), make([]event.Event, 1))
		}()
		if b.State() != pipeline.BreakerOpen {
			t.Errorf("after a trial that panicked: %s", b.State())
		}
		time.Sleep(rest + time.Second)
		s.panic, s.err = false, nil
		b.Do(t.Context(), make([]event.Event, 1))
		if b.State() != pipeline.BreakerClosed {
			t.Errorf("after a good trial: %s", b.State())
		}
	})
}

func TestOtherFailuresDoNotCount(t *testing.T) {
	s := &stage{err: fault.New(fault.StoreRejected, "test")}
	b := New(s, fault.StoreUnreachable, fault.StoreUnavailable)
	for range 3 * batches {
		b.Do(t.Context(), make([]event.Event, 1))
	}
	if b.State() != pipeline.BreakerClosed || s.calls != 3*batches {
		t.Errorf("%s after %d calls", b.State(), s.calls)
	}
}

// Either reason counts, and a store that fails now and then is not taken for one that is
// down.
func TestSomeFailuresDoNotOpen(t *testing.T) {
	s := new(stage)
	b := New(s, fault.StoreUnreachable, fault.StoreUnavailable)
	for i := range 100 {
		s.err = nil
		switch i % batches {
		case 0:
			s.err = fault.New(fault.StoreUnreachable, "test")
		case 2:
			s.err = down()
		}
		if b.Do(t.Context(), make([]event.Event, 1)); b.State() != pipeline.BreakerClosed {
			t.Fatalf("%s after %d batches", b.State(), i+1)
		}
	}
	s.err = fault.New(fault.StoreUnreachable, "test")
	b.Do(t.Context(), make([]event.Event, 1))
	b.Do(t.Context(), make([]event.Event, 1))
	if b.State() != pipeline.BreakerOpen {
		t.Errorf("%s after two more failures", b.State())
	}
}
