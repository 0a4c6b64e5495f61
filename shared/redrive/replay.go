package redrive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Records reads records of Kafka again, outside of any consumer group.
type Records interface {
	// Bounds are the first offset that the partition still has, and the one after the last
	// that can be read. A topic or partition that does not exist is an error.
	Bounds(ctx context.Context, topic string, partition int32) (start, end int64, err error)
	// Read yields the records of the offsets first to last, both included, in their order.
	// Offsets that have no record are passed over; an error ends it, and says that some
	// record may be missing.
	Read(ctx context.Context, topic string, partition int32, first, last int64) iter.Seq2[pipeline.Delivery, error]
}

// Replayer brings back the records of batches that Lambda gave up on (queue
// spec.KafkaFailed): it reads them from Kafka and sends them to the queue of ingest.
type Replayer struct {
	Queues    Queues
	Records   Records // nil: with DryRun only, and what is lost is not known then
	Claims    pipeline.Claims
	ClaimOver int // bytes of a message above which a record travels by claim check
	// DiscardLost lets go of a message though records of its batch are lost.
	DiscardLost bool
	Now         func() time.Time
}

// ReplayResult says what a Run did, or with DryRun would have done.
type ReplayResult struct {
	Batches  int      `json:"batches"` // all their records are in ingest's queue, but for those of Lost
	Records  int64    `json:"records"` // sent to ingest; of a DryRun the offsets that are there
	Left     int      `json:"left"`    // batches that stay for their lost records, though what was there is sent
	Failed   int      `json:"failed"`  // batches that could not be read or sent: they stay
	Lost     []Span   `json:"lost,omitempty"`
	Problems []string `json:"problems,omitempty"` // why batches failed, at most maxProblems
	// Unchecked says that Kafka was not asked what it has deleted.
	Unchecked bool   `json:"unchecked,omitempty"`
	Servers   string `json:"-"` // of the last batch that has any: where its records are
}

// replays reports whether a request is about discarded batches too.
func (q Request) replays() bool {
	return (q.Stage == "" || q.Stage == spec.Ingest) && !q.Passing &&
		(len(q.Reasons) == 0 || slices.Contains(q.Reasons, fault.KafkaDiscarded))
}

// Run replays the batches that the request chooses, after an Engine's run of the same request
// with that result: Max counts its dead letters and the batches together, Rate records. A
// batch's message is deleted only after its records are durable in ingest's queue. A
// pipeline without the queue has no such batches.
//
// The records of a partition are sent in their order. SQS does not promise to keep it, and
// a batch that fails on the way is sent again from its start: events are stored once all
// the same, by their key.
func (p *Replayer) Run(ctx context.Context, q Request, before Result) (ReplayResult, error) {
	if err := q.Validate(); err != nil {
		return ReplayResult{}, err
	}
	q, more := q.after(before.chosen())
	if !more || !q.replays() {
		return ReplayResult{}, nil
	}
	w := &replay{Replayer: p, q: q, limit: q.limiter(), start: p.Now(), seen: make(map[string]bool)}
	var err error
	if w.from, err = p.Queues.Queue(ctx, spec.KafkaFailed); errors.Is(err, queue.ErrNoQueue) {
		return w.r, nil
	}
	if err == nil {
		w.to, err = p.Queues.Queue(ctx, spec.Ingest)
	}
	if err == nil {
		defer w.release(context.WithoutCancel(ctx))
		err = w.all(ctx)
	}
	if err != nil {
		err = fmt.Errorf("redrive %s: %w", spec.KafkaFailed, err)
	}
	return w.r, err
}

// replay is one pass over the queue.
type replay struct {
	*Replayer
	q        Request
	limit    *rate.Limiter
	from, to queue.Queue
	start    time.Time
	r        ReplayResult
	seen     map[string]bool
	held     []string // receipts of messages that stay

	receipt string // of the message under way
	renewed time.Time
}

// all handles one message after the other, until the queue has been seen once.
func (w *replay) all(ctx context.Context) error {
	for n := 0; w.q.Max == 0 || n < w.q.Max; n++ {
		msgs, err := w.from.Receive(ctx, queue.ReceiveOptions{Max: 1, Visibility: hold})
		if err != nil || len(msgs) == 0 {
			return err
		}
		m := msgs[0]
		w.receipt, w.renewed = m.Receipt, w.Now()
		if w.seen[m.ID] || m.Sent.After(w.start) {
			w.held = append(w.held, m.Receipt)
			return nil
		}
		w.seen[m.ID] = true
		if err := w.message(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// message replays one batch. The error is of ctx: what is wrong with a batch is told in the
// result, and the next one has its turn.
func (w *replay) message(ctx context.Context, m queue.Received) error {
	lost, err := w.batch(ctx, m.Body)
	w.r.Lost = append(w.r.Lost, lost...)
	switch {
	case err != nil:
		w.r.Failed++
		w.r.Problems = tell(w.r.Problems, spec.KafkaFailed, m.ID, err)
	case len(lost) > 0 && !w.DiscardLost:
		w.r.Left++
	case w.q.DryRun:
		w.r.Batches++
	default:
		w.r.Batches++
		w.from.Delete(ctx, []string{m.Receipt}) // what is not deleted comes again: a repeat, not a loss
		return ctx.Err()
	}
	w.held = append(w.held, m.Receipt)
	return ctx.Err()
}

// batch sends every record that a message tells of and Kafka still has.
func (w *replay) batch(ctx context.Context, body []byte) (lost []Span, err error) {
	d, err := ParseDiscarded(body)
	if err != nil {
		return nil, err
	}
	w.r.Servers = cmp.Or(d.Servers, w.r.Servers)
	for _, s := range d.Spans {
		here, gone, err := w.split(ctx, s)
		if gone.Offsets() > 0 {
			lost = append(lost, gone)
		}
		if err == nil && here.Offsets() > 0 {
			err = w.span(ctx, here)
		}
		if err != nil {
			return lost, fmt.Errorf("%s: %w", s, err)
		}
	}
	return lost, nil
}

// split finds out what of a span Kafka has deleted; what is missing at its end was never
// there, which is a mistake and no loss.
func (w *replay) split(ctx context.Context, s Span) (here, gone Span, err error) {
	here, gone = s, s
	gone.Last = gone.First - 1
	if w.Records == nil {
		w.r.Unchecked = true
		return here, gone, nil
	}
	start, end, err := w.Records.Bounds(ctx, s.Topic, s.Partition)
	if err != nil {
		return here, gone, err
	}
	if s.Last >= end {
		return here, gone, fmt.Errorf("the partition ends at offset %d: is this the right cluster, or was the topic made anew?", end)
	}
	here.First = max(s.First, min(start, s.Last+1))
	gone.Last = here.First - 1
	return here, gone, nil
}

// span sends the records of a span in their order.
func (w *replay) span(ctx context.Context, s Span) error {
	if w.q.DryRun {
		w.r.Records += s.Offsets()
		return nil
	}
	var msgs []queue.Message
	for d, err := range w.Records.Read(ctx, s.Topic, s.Partition, s.First, s.Last) {
		if err != nil {
			return err
		}
		d.Attrs.Redrives = 1
		m, err := pipeline.Enclose(ctx, &d, w.Claims, w.ClaimOver)
		if err != nil {
			return err
		}
		if msgs = append(msgs, m); len(msgs) < queue.MaxBatch {
			continue
		}
		if err := w.send(ctx, msgs); err != nil {
			return err
		}
		msgs = msgs[:0]
	}
	return w.send(ctx, msgs)
}

// send returns an error where any of the messages may not be durable.
func (w *replay) send(ctx context.Context, msgs []queue.Message) error {
	for range msgs {
		if err := w.limit.Wait(ctx); err != nil {
			return err
		}
	}
	if now := w.Now(); now.Sub(w.renewed) > hold/2 {
		_ = w.from.ChangeVisibility(ctx, w.receipt, hold) // else somebody may replay it as well: a repeat
		w.renewed = now
	}
	var failed error
	for _, err := range w.to.Send(ctx, msgs) {
		if err == nil {
			w.r.Records++
		} else if failed == nil {
			failed = err
		}
	}
	return failed
}

// release makes the messages that stay visible to others at once.
func (w *replay) release(ctx context.Context) {
	for _, receipt := range w.held {
		_ = w.from.ChangeVisibility(ctx, receipt, 0) // else it shows up when hold ends
	}
}
