package process

import (
	"context"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/store"
)

const (
	// leaseBeyond is how much later than the stage's deadline a lease ends.
	// pipeline.Runner ends the stage's context up to 5 s before the invocation, and an
	// effect whose handler does not heed the context may still run then.
	leaseBeyond = 5 * time.Second
	// leaseNoDeadline is the length of a lease where the context has no deadline.
	leaseNoDeadline = time.Minute
	// finishWithin bounds the recording of an effect. It begins when the handler is
	// done, even if the context is: an effect that is not recorded happens again.
	finishWithin = 5 * time.Second
)

// effect runs a handler with side effects under a lease (delivery rule 9). The result
// is recorded before it is returned for publishing, so a redelivery after a crash
// between the two takes the record and does not repeat the effect.
func (r *run) effect(ctx context.Context, f handlers.EffectFunc, e *event.Event) pipeline.Outcome {
	acquired, lease, recorded, err := r.o.Leases.Acquire(ctx, store.LeaseRequest{
		Event: *e, Owner: pipeline.RequestID(ctx), Until: r.leaseEnd(ctx),
	})
	switch {
	case err != nil:
		return pipeline.Fail(fault.Wrap(err, fault.StoreUnavailable, "acquire lease"))
	case acquired == store.Held:
		return pipeline.Fail(fault.New(fault.LeaseHeld, "by %s until %s", lease.Owner, lease.Until.UTC().Format(time.RFC3339)))
	case acquired == store.Done:
		return decodeRecord(recorded)
	case acquired != store.Granted:
		return pipeline.Fail(fault.New(fault.Bug, "the store answered %d to Acquire", acquired))
	}
	out := call(ctx, e, func(ctx context.Context, e event.Event) (handlers.Result, error) {
		return f(ctx, e, lease.Token)
	})
	return r.finish(ctx, lease, out)
}

// finish ends the lease as the outcome asks for: done, failed for good, or free to be
// taken by the retry at once.
func (r *run) finish(ctx context.Context, lease store.Lease, out pipeline.Outcome) pipeline.Outcome {
	status, record := store.Completed, encodeRecord(out)
	if out.Err != nil {
		status, record = store.Pending, []byte(out.Err.Error())
		if fault.KindOf(out.Err) == fault.Permanent {
			status = store.Failed
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	ok, err := r.o.Leases.Finish(ctx, lease, status, record)
	switch {
	case err != nil && status == store.Pending:
		return out // a retry either way; it waits until the lease ends by itself
	case err != nil && fault.KindOf(err) == fault.Unstarted: // the record was not begun, but the effect was: that is an attempt
		return pipeline.Fail(&fault.Error{Kind: fault.Transient, Reason: fault.StoreUnavailable, Op: "record the effect", Err: err})
	case err != nil:
		return pipeline.Fail(fault.Wrap(err, fault.StoreUnavailable, "record the effect"))
	case !ok:
		return pipeline.Fail(fault.New(fault.LeaseLost, "token %d; another invocation has taken over", lease.Token))
	}
	return out
}

func (r *run) leaseEnd(ctx context.Context) time.Time {
	if deadline, ok := ctx.Deadline(); ok {
		return deadline.Add(leaseBeyond)
	}
	return r.o.Now().Add(leaseNoDeadline)
}
