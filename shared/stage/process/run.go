package process

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// slot is where the outcome of one event is put. Its state orders the memory: out is
// written before it becomes stateDone and read only after. So an event whose handler
// hangs can be given up while that handler still runs.
type slot struct {
	state atomic.Uint32
	out   pipeline.Outcome
}

const (
	stateWaiting uint32 = iota
	stateBegun
	stateDone
)

// run is one call of Do.
type run struct {
	*Stage
	batch []event.Event
	slots []slot
	until time.Time // no event is begun from then on; zero: no deadline
}

func newRun(ctx context.Context, s *Stage, batch []event.Event) *run {
	r := &run{Stage: s, batch: batch, slots: make([]slot, len(batch))}
	if deadline, ok := ctx.Deadline(); ok {
		margin := min(s.o.Margin, deadline.Sub(s.o.Now())/4)
		r.until = deadline.Add(-max(margin, 0))
	}
	return r
}

// all handles the events: those without effects first and in order, since they only
// compute, then the effects, some at once. It looks at no event once it is late: then
// Do may have returned, and the batch is not ours any more.
func (r *run) all(ctx context.Context) {
	type effect struct {
		i int
		h *handlers.Handler
	}
	var effects []effect
	for i := range r.batch {
		if r.late(ctx) {
			return
		}
		h := r.o.Handlers.Find(r.batch[i].Type())
		if h != nil && h.Effect != nil {
			effects = append(effects, effect{i, h})
			continue
		}
		r.one(ctx, i, h)
	}
	var g errgroup.Group
	g.SetLimit(r.o.Effects)
	for _, e := range effects {
		g.Go(func() error {
			if !r.late(ctx) {
				r.one(ctx, e.i, e.h)
			}
			return nil
		})
	}
	_ = g.Wait() // no function of it returns an error
}

// late reports whether no further event may be begun (delivery rule 6).
func (r *run) late(ctx context.Context) bool {
	return ctx.Err() != nil || !r.until.IsZero() && !r.o.Now().Before(r.until)
}

// one handles event i and puts its outcome into its slot, whatever happens.
func (r *run) one(ctx context.Context, i int, h *handlers.Handler) {
	s := &r.slots[i]
	s.state.Store(stateBegun)
	returned := false
	defer func() {
		if !returned { // not the handler: call contains that. Or it was runtime.Goexit.
			s.out = pipeline.Fail(panicked(recover(), fault.Bug))
		}
		s.state.Store(stateDone)
	}()
	e := r.batch[i]
	switch {
	case h == nil || h.Handle == nil && h.Effect == nil:
		s.out = pipeline.Forward(e)
	case h.Effect != nil:
		s.out = r.effect(ctx, h.Effect, &e)
	default:
		s.out = call(ctx, &e, h.Handle)
	}
	returned = true
}

// wait returns when all events have their outcome, or Grace after ctx is done.
func (r *run) wait(ctx context.Context, finished <-chan struct{}) {
	select {
	case <-finished:
		return
	case <-ctx.Done():
	}
	grace := time.NewTimer(r.o.Grace)
	defer grace.Stop()
	select {
	case <-finished:
	case <-grace.C:
	}
}

// outcomes has one entry per event (delivery rule 2).
func (r *run) outcomes(ctx context.Context) []pipeline.Outcome {
	outs := make([]pipeline.Outcome, len(r.slots))
	for i := range r.slots {
		switch s := &r.slots[i]; s.state.Load() {
		case stateDone:
			outs[i] = s.out
		case stateBegun:
			outs[i] = pipeline.Fail(interrupted(ctx, fmt.Errorf("the handler did not return within %v", r.o.Grace)))
		default:
			outs[i] = pipeline.Fail(fault.New(fault.DeadlineNear, "its handler was not begun"))
		}
	}
	return outs
}
