package embedded

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

const (
	// answerSlack is how much longer than the handler's timeout a message stays hidden.
	// On AWS it is six timeouts, because Lambda may throttle; nothing throttles here.
	answerSlack = 10 * time.Second
	// errorPause follows a poll that failed.
	errorPause = time.Second
	// failedPause is how long a message that was reported as failed stays hidden, times
	// its receives. On AWS it stays until its visibility timeout ends.
	failedPause = 2 * time.Second
)

// poller is Lambda's event source mapping of one SQS queue: it receives a batch, sends
// it to the handler as the JSON that Lambda sends, and deletes what the answer does not
// report as failed (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS").
type poller struct {
	name    string
	queue   queue.Queue
	handler lambdaio.Handler
	batch   int
	window  time.Duration // how long a batch waits to be full (MaximumBatchingWindowInSeconds); 0: not at all
	timeout time.Duration
	log     *slog.Logger
}

// run polls until ctx is done, and returns when its last invocation has been answered
// and the messages that are done are deleted.
func (p *poller) run(ctx context.Context) {
	var buf []byte
	for ctx.Err() == nil {
		msgs, err := p.queue.Receive(ctx, queue.ReceiveOptions{
			Max: min(p.batch, queue.MaxBatch), Wait: queue.MaxWait, Visibility: p.timeout + answerSlack,
		})
		if err != nil && ctx.Err() == nil {
			p.log.Error("poll failed", "queue", p.name, "error", err)
			pause(ctx, errorPause)
			continue
		}
		msgs = p.fill(ctx, msgs)
		for len(msgs) > 0 { // an event takes at most 6 MB
			var n int
			buf, n = lambdaio.AppendSQSEvent(buf[:0], "arn:aws:sqs:embedded:000000000000:"+p.name, msgs)
			p.invoke(context.WithoutCancel(ctx), buf, msgs[:n])
			msgs = msgs[n:]
		}
	}
}

// fill waits for more messages while the batch is not full and its window is open.
func (p *poller) fill(ctx context.Context, msgs []queue.Received) []queue.Received {
	if len(msgs) == 0 || p.window == 0 {
		return msgs
	}
	window, cancel := context.WithTimeout(ctx, p.window)
	defer cancel()
	for len(msgs) < p.batch && window.Err() == nil {
		more, err := p.queue.Receive(window, queue.ReceiveOptions{
			Max: min(p.batch-len(msgs), queue.MaxBatch), Wait: queue.MaxWait, Visibility: p.timeout + answerSlack,
		})
		if err != nil { // the window is over, or the next poll says what is wrong
			return msgs
		}
		msgs = append(msgs, more...)
	}
	return msgs
}

func (p *poller) invoke(ctx context.Context, payload []byte, msgs []queue.Received) {
	call, cancel := context.WithTimeout(lambdaio.WithRequestID(ctx, uuid.NewString()), p.timeout)
	answer, err := p.handler(call, payload)
	cancel()
	if err != nil { // the handler has reported it; nothing is acknowledged
		p.release(ctx, msgs, nil)
		return
	}
	failed, err := lambdaio.FailedMessages(answer, msgs)
	if err != nil {
		p.log.Error("whole batch counts as failed", "queue", p.name, "error", err)
	}
	var done []string
	for i := range msgs {
		if !failed[i] {
			done = append(done, msgs[i].Receipt)
		}
	}
	for _, err := range p.queue.Delete(ctx, done) {
		if err != nil {
			p.log.Warn("a message that is done will come again", "queue", p.name, "error", err)
		}
	}
	if len(done) < len(msgs) {
		p.release(ctx, msgs, failed)
	}
}

// release lets failed messages come again before their visibility timeout; failed nil
// means all.
func (p *poller) release(ctx context.Context, msgs []queue.Received, failed []bool) {
	for i, m := range msgs {
		if failed != nil && !failed[i] {
			continue
		}
		if err := p.queue.ChangeVisibility(ctx, m.Receipt, failedPause*time.Duration(m.ReceiveCount)); err != nil {
			p.log.Warn("a failed message comes again only when its visibility timeout ends", "queue", p.name, "error", err)
		}
	}
}

// pause waits, or returns early when ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
