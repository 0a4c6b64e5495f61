package pipeline

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// bury dead-letters what failed for good, each event by itself with its original bytes
// and its reason (rule 4). Where that fails, the whole delivery is redelivered: a dead
// letter is durable before its delivery is acknowledged (rule 1).
func (b *batch) bury(ctx context.Context) {
	var out []outgoing
	var owner []int
	for i := range b.items {
		it := &b.items[i]
		if it.fate != fateDead || b.failed[it.delivery] {
			continue
		}
		o, err := b.deadLetter(it)
		if err != nil {
			b.unburied(i, err)
			continue
		}
		out = append(out, o)
		owner = append(owner, i)
	}
	if len(out) == 0 {
		return
	}
	for k, err := range b.r.send(ctx, b.r.Dead, out) {
		if err != nil {
			b.unburied(owner[k], err)
		}
	}
	b.failRest()
}

func (b *batch) unburied(i int, err error) {
	d := b.items[i].delivery
	b.failed[d] = true
	b.rep.list(Failure{Delivery: b.in.Deliveries[d].ID, Err: fmt.Errorf("dead-letter to %s-dlq: %w", b.r.Name, err)})
}

// deadLetter makes the message: the element's own bytes, the body of a delivery that
// did not decode, or an envelope where the original is more than that.
func (b *batch) deadLetter(it *item) (outgoing, error) {
	d := &b.in.Deliveries[it.delivery]
	a := Attrs{
		ContentType: event.ContentTypeJSON,
		Attempt:     d.attempt(), FirstFailure: d.firstFailure(b.r.Now()), Redrives: d.Attrs.Redrives,
		TraceParent: b.trace, Stage: b.r.Name,
		Reason: fault.ReasonOf(it.err), Error: errorText(it.err),
	}
	body := it.raw
	if it.whole || d.Kafka != nil || d.Attrs.ContentType == ContentTypeEnvelope {
		body, a.ContentType, a.Encoding = d.Body, d.Attrs.ContentType, d.Attrs.Encoding
	}
	if d.Kafka != nil || d.Foreign != nil {
		o := *d
		o.Attrs.ContentType, o.Attrs.Encoding = a.ContentType, a.Encoding
		sealed, err := seal(&o, body)
		if err != nil {
			return outgoing{}, err
		}
		body, a.ContentType, a.Encoding = sealed, ContentTypeEnvelope, ""
	}
	if a.Encoding == "" && !queue.IsText(body) {
		body = base64.StdEncoding.AppendEncode(nil, body)
		a.Encoding = pack.Base64
	}
	return outgoing{body: body, attrs: a}, nil
}

// errorText is an error as a message attribute takes it: short, valid text.
func errorText(err error) string {
	s := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0xFFFE || c == 0xFFFF {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(err.Error(), "\uFFFD"))
	if len(s) <= maxErrorBytes {
		return s
	}
	cut := maxErrorBytes
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
