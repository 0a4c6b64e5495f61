// Package ingest is the first stage: it reads CloudEvents as producers send them,
// checks them, stamps when they were received, and passes them on.
package ingest

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// Checker decides whether an event's data is what its type promises: the schema registry.
type Checker interface {
	// Check returns nil, or a fault.SchemaViolation or fault.UnknownType.
	Check(e *event.Event) error
}

// Stage checks events and passes them on unchanged.
type Stage struct {
	Schema Checker // nil: every type and any data is accepted
}

// Do implements pipeline.Stage.
func (s *Stage) Do(ctx context.Context, batch []event.Event) []pipeline.Outcome {
	outs := make([]pipeline.Outcome, len(batch))
	for i := range batch {
		switch {
		case ctx.Err() != nil:
			outs[i] = pipeline.Fail(fault.New(fault.DeadlineNear, "%v", context.Cause(ctx)))
		default:
			outs[i] = s.check(batch, i)
		}
	}
	return outs
}

func (s *Stage) check(batch []event.Event, i int) pipeline.Outcome {
	if s.Schema != nil {
		if err := s.Schema.Check(&batch[i]); err != nil {
			return pipeline.Fail(err)
		}
	}
	return pipeline.Forward(batch[i : i+1 : i+1]...)
}

// Door reads what producers send.
type Door struct {
	MaxEvent int // bytes of one event's JSON
	Now      func() time.Time
}

// Decode reads a Kafka record by the CloudEvents Kafka binding, and an SQS message as
// one event, a JSON batch or a pack. It implements pipeline.Decoder.
func (o *Door) Decode(d *pipeline.Delivery) ([]event.Item, error) {
	if n := len(d.Body); d.Kafka != nil && n > o.MaxEvent {
		return nil, fault.New(fault.TooLarge, "a record of %d bytes, the limit is %d", n, o.MaxEvent)
	}
	items, err := o.decode(d)
	if err != nil {
		return nil, err
	}
	o.Stamp(items, d.Arrived)
	return items, nil
}

func (o *Door) decode(d *pipeline.Delivery) ([]event.Item, error) {
	if k := d.Kafka; k != nil {
		e, err := event.FromKafka(d.Body, k.Headers)
		if err != nil {
			return nil, err
		}
		return []event.Item{{Event: e, Raw: e.JSON()}}, nil
	}
	if d.Attrs.Encoding == pack.Plain {
		return o.plain(d.Body, d.Attrs.ContentType)
	}
	return pipeline.Unpack(d, o.MaxEvent)
}

// plain reads the body of a message whose producer may have said nothing about it: a
// JSON array is a batch, anything else one event.
func (o *Door) plain(body []byte, contentType string) ([]event.Item, error) {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	batch := strings.HasPrefix(contentType, event.ContentTypeBatch)
	if batch || contentType != event.ContentTypeJSON && len(trimmed) > 0 && trimmed[0] == '[' {
		return event.ParseBatch(body)
	}
	e, err := event.Parse(body)
	return []event.Item{{Event: e, Raw: body, Err: err}}, nil
}

// Stamp writes the receive time on events: when the platform took them (the record's or
// the message's timestamp), never later than now.
func (o *Door) Stamp(items []event.Item, arrived time.Time) {
	now := o.Now()
	if arrived.IsZero() || arrived.After(now) {
		arrived = now
	}
	ms := arrived.UnixMilli()
	for i := range items {
		if items[i].Err == nil {
			items[i].Event = items[i].Event.Stamp(ms)
		}
	}
}
