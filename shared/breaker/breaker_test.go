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
		b := New(s, fault.StoreUnavailable)
		for range batches {
			b.Do(t.Context(), make([]event.Event, 3))
		}
		if b.State() != pipeline.BreakerOpen {
			t.Fatalf("after %d failed batches the breaker is %s", batches, b.State())
		}
		outs := b.Do(t.Context(), make([]event.Event, 3))
		if s.calls != batches {
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
		time.Sleep(rest + time.Second) // of synctest's clock
		b.Do(t.Context(), make([]event.Event, 1))
		if s.calls != batches+1 || b.State() != pipeline.BreakerOpen {
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
	b := New(s, fault.StoreUnavailable)
	for range 3 * batches {
		b.Do(t.Context(), make([]event.Event, 1))
	}
	if b.State() != pipeline.BreakerClosed || s.calls != 3*batches {
		t.Errorf("%s after %d calls", b.State(), s.calls)
	}
}
