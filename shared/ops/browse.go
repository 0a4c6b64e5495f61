package ops

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Browser looks at the messages of a queue without taking them.
type Browser interface {
	// Browse yields the messages that the queue holds, oldest first, those that someone
	// has received included. It leaves them as they are: neither hidden from others nor
	// counted as received. A message that comes or goes meanwhile may be missing. An
	// error, such as queue.ErrNoQueue, ends it.
	//
	// SQS can only be received from: there, hold what was received until the browsing
	// ends, then make it visible with ChangeVisibility 0; and only for dead-letter queues,
	// where nobody polls and no receive count matters.
	Browse(ctx context.Context, queue string) iter.Seq2[queue.Received, error]
}

// eventsIn counts the events in the messages of a queue by the attribute that says how
// many each carries. A queue that does not exist has none.
func eventsIn(ctx context.Context, b Browser, name string) (n int64, err error) {
	for m, err := range b.Browse(ctx, name) {
		if errors.Is(err, queue.ErrNoQueue) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		a, _ := pipeline.ParseAttrs(m.Attributes)
		n += int64(max(a.Count, 1))
	}
	return n, nil
}
