package awsio

import (
	"context"
	"iter"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

const (
	// browseHold hides a message while the others are looked at. A queue that cannot be
	// seen whole in this time ends the browsing when a message comes again.
	browseHold = 2 * time.Minute
	// browseWait is the wait of each receive: see Queue.MinWait.
	browseWait = time.Second
	// releaseTime is how long making the messages visible again may take, also after the
	// browsing was interrupted.
	releaseTime = 30 * time.Second
)

// Browse yields the messages of a dead-letter queue, in no promised order, and leaves
// them there: SQS can only be received from, so each is received, hidden while the
// browsing lasts, and then made visible at once. Each browsing counts as a receive, which
// means something only in queues with a redrive policy: browse none of those. Messages
// that someone else holds are not seen. An error, such as queue.ErrNoQueue, ends it.
// Receipts are empty.
func (b *Broker) Browse(ctx context.Context, name string) iter.Seq2[queue.Received, error] {
	return func(yield func(queue.Received, error) bool) {
		q, err := b.open(ctx, name)
		if err != nil {
			yield(queue.Received{}, err)
			return
		}
		var held []string
		defer func() { q.release(context.WithoutCancel(ctx), held) }()
		seen := make(map[string]bool)
		for {
			msgs, err := q.Receive(ctx, queue.ReceiveOptions{Max: queue.MaxBatch, Wait: browseWait, Visibility: browseHold})
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
				if seen[m.ID] {
					return
				}
				seen[m.ID] = true
				m.Receipt = ""
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

// release makes messages visible at once. Where it fails they show up by themselves when
// browseHold is over.
func (q *Queue) release(ctx context.Context, receipts []string) {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	for first := 0; first < len(receipts) && ctx.Err() == nil; first += queue.MaxBatch {
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.URL}
		for i := first; i < min(first+queue.MaxBatch, len(receipts)); i++ {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &receipts[i], VisibilityTimeout: 0,
			})
		}
		_, _ = q.Client.ChangeMessageVisibilityBatch(ctx, in)
	}
}
