// Package process is the stage that runs the handlers (package handlers) on events.
//
// It adds to them what must not be each handler's own concern: a panic or a hang of one
// handler fails one event and not its neighbours, no handler is begun shortly before
// the deadline (delivery rule 6), and a handler with side effects runs under a lease
// and is not repeated when its event comes again (delivery rule 9).
package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Defaults of Options.
const (
	DefaultMargin = time.Second
	DefaultGrace  = 500 * time.Millisecond
)

// Leases keep an effect from happening twice: the part of store.Leases that the stage
// uses.
type Leases interface {
	Acquire(ctx context.Context, r store.LeaseRequest) (store.Acquired, store.Lease, []byte, error)
	Finish(ctx context.Context, l store.Lease, s store.Status, result []byte) (bool, error)
}

// Options of New.
type Options struct {
	Handlers *handlers.Registry
	Leases   Leases // needed only where a handler has effects

	// Margin is the least time that a handler gets: where less is left before the
	// context's deadline, the event is not begun. Where the whole batch has less than
	// four margins, a quarter of what it has. 0: DefaultMargin.
	Margin time.Duration

	// Grace is how long a handler may take to return after the context is done. Then its
	// event is given up. 0: DefaultGrace. It is taken from the time that pipeline.Runner
	// keeps for publishing, at least a few seconds in a function of 30 seconds.
	Grace time.Duration

	// Effects is how many handlers with effects run at once; 0: 1, one after the other
	// in the order of the batch. With more, effects of one batch happen in any order.
	Effects int

	Now func() time.Time
}

// Stage implements pipeline.Stage. It may be used by several invocations at once.
type Stage struct {
	o Options
}

// New checks the options.
func New(o Options) (*Stage, error) {
	switch {
	case o.Handlers == nil:
		return nil, errors.New("process: no handlers")
	case o.Handlers.HasEffects() && o.Leases == nil:
		return nil, errors.New("process: a handler has effects, which needs the event store for leases")
	case o.Now == nil:
		return nil, errors.New("process: no clock")
	case o.Margin < 0 || o.Grace < 0 || o.Effects < 0:
		return nil, fmt.Errorf("process: Margin %v, Grace %v and Effects %d must not be negative", o.Margin, o.Grace, o.Effects)
	}
	if o.Margin == 0 {
		o.Margin = DefaultMargin
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	o.Effects = max(o.Effects, 1)
	return &Stage{o}, nil
}

// Do runs the handler of each event. It returns when all have their outcome, or Grace
// after ctx is done. A handler that does not return even then goes on in its goroutine
// with its event, which is all of the batch that is kept.
func (s *Stage) Do(ctx context.Context, batch []event.Event) []pipeline.Outcome {
	r := newRun(ctx, s, batch)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		r.all(ctx)
	}()
	r.wait(ctx, finished)
	return r.outcomes(ctx)
}
