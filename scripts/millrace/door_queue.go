package main

import (
	"context"
	"errors"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// queueDoor sends to the queue of ingest: checked events in packs, unchecked lines each
// as a message of its own.
type queueDoor struct {
	to pipeline.Sender
}

func newQueueDoor(ctx context.Context, f *found) (door, error) {
	q, err := f.broker.Queue(ctx, spec.Ingest)
	if err != nil {
		return door{}, f.explain(err)
	}
	where := "queue " + spec.ResourceName(f.Env, spec.Ingest) + " in " + f.Region
	return door{Door: &queueDoor{q}, where: where, close: func() {}}, nil
}

// Send implements ops.Door.
func (d *queueDoor) Send(ctx context.Context, batch []ops.Line) []error {
	errs := make([]error, len(batch))
	msgs, ends := messages(batch)
	first := 0
	for i, err := range d.to.Send(ctx, msgs) {
		for ; first < ends[i]; first++ {
			errs[first] = refusal(err)
		}
	}
	return errs
}

// messages of a batch whose lines are all checked or all unchecked. ends are the lines
// that each message ends before.
func messages(batch []ops.Line) (msgs []queue.Message, ends []int) {
	if len(batch) > 0 && !batch[0].Checked {
		for i := range batch {
			msgs = append(msgs, queue.Message{Body: batch[i].Raw})
			ends = append(ends, i+1)
		}
		return msgs, ends
	}
	events := make([]event.Event, len(batch))
	for i := range batch {
		events[i] = batch[i].Event
	}
	for _, p := range pack.Encode(events, pack.Options{Encoding: pack.Zstd}) {
		attrs := pipeline.Attrs{ContentType: p.ContentType, Encoding: p.Encoding, Count: p.End - p.First}
		msgs = append(msgs, queue.Message{Body: p.Body, Attributes: attrs.Map()})
		ends = append(ends, p.End)
	}
	return msgs, ends
}

// refusal: what SQS does not take at all is refused line by line, and the others are sent.
func refusal(err error) error {
	switch {
	case errors.Is(err, queue.ErrTooLarge):
		return fault.New(fault.TooLarge, "an SQS message holds 1 MiB: send it with --kafka or --http")
	case errors.Is(err, queue.ErrInvalid):
		return fault.New(fault.UnsupportedContent, "an SQS message cannot hold these bytes: send them with --kafka")
	}
	return err
}
