// Package breaker keeps a stage from hammering a dependency that is down: after enough
// failed batches it holds events back unstarted, so that an outage neither uses up their
// attempts nor fills the dead-letter queue (delivery rule 6).
package breaker

import (
	"context"
	"slices"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// The breaker opens when of the last five batches three failed, and lets one batch try
// again after 5 s. It counts batches, not time: a Lambda function handles one after the
// other, and while each waits for a dependency that is down they are few.
const (
	failures = 3
	batches  = 5
	rest     = 5 * time.Second
)

// Breaker is a stage around a stage.
type Breaker struct {
	next    pipeline.Stage
	reasons []fault.Reason
	cb      circuitbreaker.CircuitBreaker[any]
}

// New guards next: a batch in which an event fails for one of the reasons counts as a
// failure of the dependency.
func New(next pipeline.Stage, reasons ...fault.Reason) *Breaker {
	cb := circuitbreaker.NewBuilder[any]().
		WithFailureThresholdRatio(failures, batches).
		WithDelay(rest).
		WithSuccessThreshold(1).
		Build()
	return &Breaker{next: next, reasons: reasons, cb: cb}
}

// Do passes the batch on, or holds it back while the breaker is open.
func (b *Breaker) Do(ctx context.Context, batch []event.Event) []pipeline.Outcome {
	if !b.cb.TryAcquirePermit() {
		outs := make([]pipeline.Outcome, len(batch))
		held := pipeline.Fail(fault.New(fault.BreakerOpen, "%s on recent batches", b.reasons[0]))
		for i := range outs {
			outs[i] = held
		}
		return outs
	}
	panicked := true
	defer func() {
		if panicked { // a permit that is not given back would keep a half-open breaker shut
			b.cb.RecordFailure()
		}
	}()
	outs := b.next.Do(ctx, batch)
	panicked = false
	for i := range outs {
		if outs[i].Err != nil && slices.Contains(b.reasons, fault.ReasonOf(outs[i].Err)) {
			b.cb.RecordFailure()
			return outs
		}
	}
	b.cb.RecordSuccess()
	return outs
}

// State of the breaker now.
func (b *Breaker) State() pipeline.BreakerState {
	switch b.cb.State() {
	case circuitbreaker.OpenState:
		return pipeline.BreakerOpen
	case circuitbreaker.HalfOpenState:
		return pipeline.BreakerHalfOpen
	default:
		return pipeline.BreakerClosed
	}
}
