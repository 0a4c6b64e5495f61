package ops

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Browser looks at the messages of a queue without taking them.
type Browser interface {
	// Browse yields the messages that the queue holds, oldest first, those that someone
	// has received included. It leaves them as they are: neither hidden from others nor
	// counted as received. A message that comes or goes meanwhile may be missing. An
	// error, such as queue.ErrNoQueue, ends it.
	Browse(ctx context.Context, queue string) iter.Seq2[queue.Received, error]
}

// Opener opens queues; queue.Broker is one.
type Opener interface {
	Queue(ctx context.Context, name string) (queue.Queue, error)
}

// Receiving is the Browser of a target whose queues can only be received from, as SQS:
// each message is hidden until the browsing ends, then visible again at once, and its
// receive count has grown by one. So it is for dead-letter queues alone, where nobody
// polls and no count matters. It does not see what another receiver holds.
type Receiving struct {
	Queues Opener
	// Hold is how long a message stays hidden should the browsing end without a word,
	// and so the longest that browsing one queue may take.
	Hold time.Duration
}

// Browse implements Browser.
func (r *Receiving) Browse(ctx context.Context, name string) iter.Seq2[queue.Received, error] {
	return func(yield func(queue.Received, error) bool) {
		q, err := r.Queues.Queue(ctx, name)
		if err != nil {
			yield(queue.Received{}, err)
			return
		}
		var held []string
		defer func() { // also when the caller stops
			for _, receipt := range held {
				_ = q.ChangeVisibility(context.WithoutCancel(ctx), receipt, 0) // else Hold ends it
			}
		}()
		for {
			msgs, err := q.Receive(ctx, queue.ReceiveOptions{Max: queue.MaxBatch, Visibility: r.Hold})
			if err != nil {
				yield(queue.Received{}, err)
				return
			}
			if len(msgs) == 0 {
				return
			}
			for _, m := range msgs {
				held = append(held, m.Receipt)
			}
			for _, m := range msgs {
				if !yield(m, nil) {
					return
				}
			}
		}
	}
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
