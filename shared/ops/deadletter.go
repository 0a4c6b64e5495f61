package ops

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Original is a dead letter with what arrived.
type Original struct {
	DeadLetter
	// Body is what arrived, byte for byte. Of a pack that died whole it is the pack's
	// events, one a line.
	Body       []byte
	Kafka      *pipeline.KafkaRecord // set when it was a Kafka record
	Attributes map[string]string     // of its sender, nil when there were none
}

// maxWraps is how often what arrived may be wrapped: a claim, in an envelope, in a claim.
const maxWraps = 3

// open unwraps a dead letter as far as it goes: whatever is wrong with it, the bytes at
// hand are shown.
func (d *DeadLetters) open(ctx context.Context, l letter) Original {
	o := Original{DeadLetter: DeadLetter{
		ID: l.msg.ID, Queue: l.queue, Stage: l.stage, Reason: l.reason, Error: l.attrs.Error,
		Attempt: l.attrs.Attempt, FirstFailure: l.attrs.FirstFailure, Redrives: l.attrs.Redrives, Sent: l.msg.Sent, Events: l.attrs.Count,
	}}
	if l.queue == spec.KafkaFailed {
		o.setBatch(l)
		return o
	}
	v := &pipeline.Delivery{ID: l.msg.ID, Body: l.msg.Body, Attrs: l.attrs, Foreign: l.other, Arrived: l.msg.Sent}
	v, err := d.unwrap(ctx, v)
	o.Kafka, o.Attributes, o.Body = v.Kafka, v.Foreign, v.Body
	if err == nil {
		err = o.decode(v, d.MaxEvent)
	}
	if err != nil {
		o.Problem = err.Error()
	}
	o.Size = len(o.Body)
	return o
}

// setBatch describes a batch that Lambda gave up on; the body is Lambda's message.
func (o *Original) setBatch(l letter) {
	o.Body, o.Size, o.Attributes = l.msg.Body, len(l.msg.Body), l.other
	if l.batchErr != nil {
		o.Problem = l.batchErr.Error()
		return
	}
	o.Batch, o.Events = l.batch, l.batch.Records
	o.Attempt, o.Error, o.FirstFailure = l.batch.Attempts, l.batch.Condition, l.batch.Time
}

// unwrap fetches claims and opens envelopes; with an error it returns how far it came.
func (d *DeadLetters) unwrap(ctx context.Context, v *pipeline.Delivery) (*pipeline.Delivery, error) {
	for range maxWraps {
		var next *pipeline.Delivery
		var err error
		switch {
		case v.Attrs.Encoding == pipeline.EncodingClaim:
			next, err = pipeline.CheckOut(ctx, v, d.Claims)
		case v.Attrs.ContentType == pipeline.ContentTypeEnvelope:
			next, err = pipeline.OpenEnvelope(v)
		default:
			return v, nil
		}
		if err != nil {
			return v, err
		}
		v = next
	}
	return v, nil
}

// decode finds the bytes that arrived and the event in them.
func (o *Original) decode(v *pipeline.Delivery, maxEvent int) error {
	switch v.Attrs.Encoding {
	case pack.S2, pack.Zstd:
		return o.decodePack(v, maxEvent)
	case pack.Base64:
		raw, err := base64.StdEncoding.AppendDecode(nil, v.Body)
		if err != nil {
			return fault.New(fault.BadPack, "the body is no base64: %v", err)
		}
		o.Body = raw
	}
	if v.Kafka != nil {
		if e, err := event.FromKafka(o.Body, v.Kafka.Headers); err == nil {
			o.identify(&e)
			return nil
		}
		o.guess(o.Body, v.Kafka.Headers)
		return nil
	}
	if e, err := event.Parse(o.Body); err == nil {
		o.identify(&e)
		return nil
	}
	o.guess(o.Body, nil)
	return nil
}

func (o *Original) decodePack(v *pipeline.Delivery, maxEvent int) error {
	items, err := pipeline.Unpack(v, maxEvent)
	if err != nil {
		return err
	}
	raws := make([][]byte, len(items))
	for i := range items {
		raws[i] = items[i].Raw
	}
	o.Body = bytes.Join(raws, []byte("\n"))
	o.Events = len(items)
	if len(items) == 1 && items[0].Err == nil {
		o.identify(&items[0].Event)
	}
	return nil
}

func (o *Original) identify(e *event.Event) {
	o.Events = 1
	o.EventID, o.EventSource, o.EventType = e.ID(), e.Source(), e.Type()
}

// guess reads what identifies an event that is none: from the headers of a record in
// binary mode, or from whatever JSON object there is.
func (o *Original) guess(body []byte, headers []event.Header) {
	names := map[string]*string{"id": &o.EventID, "source": &o.EventSource, "type": &o.EventType}
	for _, h := range headers {
		name, ok := strings.CutPrefix(strings.ToLower(h.Name), "ce_")
		if to := names[name]; ok && to != nil {
			*to = string(h.Value)
		}
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return
	}
	for name, to := range names {
		if *to == "" {
			_ = json.Unmarshal(members[name], to) // of another JSON type: not known
		}
	}
}
