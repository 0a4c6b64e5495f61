// Package persist is the last stage: it writes events to the event store.
package persist

import (
	"context"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// maxWrite is how many events one write takes at most: what a store digests well
// within a deadline, and what is lost of an invocation's time when one write fails.
const maxWrite = 5000

// Stage writes each batch. The store's keys make every write idempotent (rule 8).
type Stage struct {
	Store store.Writer
}

// Do implements pipeline.Stage.
func (s *Stage) Do(ctx context.Context, batch []event.Event) []pipeline.Outcome {
	outs := make([]pipeline.Outcome, 0, len(batch))
	for len(batch) > 0 {
		n := min(len(batch), maxWrite)
		if err := ctx.Err(); err != nil {
			outs = append(outs, repeat(len(batch), fault.New(fault.DeadlineNear, "%v", context.Cause(ctx)))...)
			return outs
		}
		outs = append(outs, s.write(ctx, batch[:n])...)
		batch = batch[n:]
	}
	return outs
}

func (s *Stage) write(ctx context.Context, batch []event.Event) []pipeline.Outcome {
	results, err := s.Store.Write(ctx, batch)
	if err != nil {
		return repeat(len(batch), fault.Wrap(err, fault.StoreUnavailable, "store write"))
	}
	outs := make([]pipeline.Outcome, len(results))
	for i, r := range results {
		if r.Err != nil {
			outs[i] = pipeline.Fail(fault.Wrap(r.Err, fault.StoreUnavailable, "store write"))
			continue
		}
		outs[i] = pipeline.Stored(r.Duplicate)
	}
	return outs
}

func repeat(n int, err error) []pipeline.Outcome {
	outs := make([]pipeline.Outcome, n)
	for i := range outs {
		outs[i] = pipeline.Fail(err)
	}
	return outs
}
