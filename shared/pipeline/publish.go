package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// outgoing is one message before its claim check.
type outgoing struct {
	body  []byte
	attrs Attrs
	delay time.Duration
}

// send makes messages durable, large ones by claim check, and returns one error per
// message in order.
func (r *Runner) send(ctx context.Context, to Sender, out []outgoing) []error {
	msgs := make([]queue.Message, 0, len(out))
	index := make([]int, 0, len(out))
	errs := make([]error, len(out))
	for i, o := range out {
		body, attrs, err := r.checkIn(ctx, o.body, o.attrs)
		if err != nil {
			errs[i] = err
			continue
		}
		msgs = append(msgs, queue.Message{Body: body, Attributes: attrs.Map(), Delay: o.delay})
		index = append(index, i)
	}
	if len(msgs) == 0 {
		return errs
	}
	sent := to.Send(ctx, msgs)
	for k, i := range index {
		switch {
		case len(sent) != len(msgs): // a broken sender must not read as success
			errs[i] = fault.New(fault.Bug, "sender answered %d results for %d messages", len(sent), len(msgs))
		case sent[k] != nil:
			errs[i] = sent[k]
		}
	}
	return errs
}

// publish packs what the stage made and sends it on (rule 1: before any ack). The
// events of a pack that was not taken fail together, and nobody else does.
func (b *batch) publish(ctx context.Context) {
	var events []event.Event
	var owner []int // item of each event
	for i := range b.items {
		it := &b.items[i]
		if it.fate != fateDone {
			continue
		}
		if err := b.tooLarge(it.out.Forward); err != nil {
			b.fail(it, err)
			continue
		}
		events = append(events, it.out.Forward...)
		for range it.out.Forward {
			owner = append(owner, i)
		}
	}
	if len(events) == 0 {
		return
	}
	packs := pack.Encode(events, pack.Options{Encoding: b.r.Encoding})
	out := make([]outgoing, len(packs))
	for i, p := range packs {
		out[i] = outgoing{body: p.Body, attrs: Attrs{
			ContentType: p.ContentType, Encoding: p.Encoding, Count: p.End - p.First, TraceParent: b.trace,
		}}
	}
	for i, err := range b.r.send(ctx, b.r.Out, out) {
		p := packs[i]
		if err != nil {
			err = fault.Wrap(err, fault.PublishFailed, "publish from "+b.r.Name)
			for k := p.First; k < p.End; k++ {
				b.fail(&b.items[owner[k]], err)
			}
			continue
		}
		b.rep.Packs++
		b.rep.BytesOut += len(p.Body)
		b.rep.Forwarded += p.End - p.First
		for k := p.First; k < p.End; k++ {
			b.rep.BytesRaw += len(events[k].JSON())
		}
	}
}

func (b *batch) tooLarge(events []event.Event) error {
	for i := range events {
		if n := len(events[i].JSON()); b.r.MaxEvent > 0 && n > b.r.MaxEvent {
			return fault.New(fault.TooLarge, "the stage made an event of %d bytes, the limit is %d", n, b.r.MaxEvent)
		}
	}
	return nil
}

// settle decides which deliveries are reported as failed, after publishing and before
// retries and dead letters, so that a redelivered message leaves no second dead letter.
//
// A delivery whose events all failed for a passing reason is redelivered by its source
// (rule 5). A Kafka record always is, since it cannot be sent back to its place.
func (b *batch) settle() {
	n := len(b.in.Deliveries)
	events, retry, open := make([]int, n), make([]int, n), make([]int, n)
	for i := range b.items {
		it := &b.items[i]
		events[it.delivery]++
		switch it.fate {
		case fateRetry:
			retry[it.delivery]++
			open[it.delivery]++
		case fateLater:
			open[it.delivery]++
		}
	}
	for i := range b.failed {
		resendable := b.r.Retry != nil && b.in.Deliveries[i].Kafka == nil
		switch {
		case open[i] == 0:
		case retry[i] == events[i], !resendable:
			b.failed[i] = true
		}
	}
	b.failRest()
}

// failRest fails everything after the first failed offset of a partition (rule 7).
func (b *batch) failRest() {
	type partition struct {
		topic string
		id    int32
	}
	var first map[partition]int64
	for i := range b.failed {
		if k := b.in.Deliveries[i].Kafka; k != nil && b.failed[i] {
			if first == nil {
				first = make(map[partition]int64)
			}
			p := partition{k.Topic, k.Partition}
			if off, ok := first[p]; !ok || k.Offset < off {
				first[p] = k.Offset
			}
		}
	}
	if first == nil {
		return
	}
	for i := range b.failed {
		if k := b.in.Deliveries[i].Kafka; k != nil {
			if off, ok := first[partition{k.Topic, k.Partition}]; ok && k.Offset >= off {
				b.failed[i] = true
			}
		}
	}
}

// resend sends the unfinished events of deliveries that are otherwise done back to the
// stage's own queue: retries delayed and counted, unstarted ones at once and uncounted
// (rules 5 and 6). Where that fails, the whole delivery is redelivered.
func (b *batch) resend(ctx context.Context) {
	type group struct {
		delivery int
		fate     fate
	}
	groups := make(map[group][]event.Event)
	var order []group
	for i := range b.items {
		it := &b.items[i]
		if b.failed[it.delivery] || it.fate != fateRetry && it.fate != fateLater {
			continue
		}
		if !it.valid { // its bytes could not be had: only the source has them
			b.failed[it.delivery] = true
			continue
		}
		g := group{it.delivery, it.fate}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], it.event)
	}
	var out []outgoing
	var owner []int
	for _, g := range order {
		d := &b.in.Deliveries[g.delivery]
		attrs := Attrs{TraceParent: b.trace, Redrives: d.Attrs.Redrives, FirstFailure: d.Attrs.FirstFailure, Attempt: d.attempt() - 1}
		var delay time.Duration
		if g.fate == fateRetry {
			attrs.Attempt, attrs.FirstFailure = d.attempt(), d.firstFailure(b.r.Now())
			delay = b.r.Backoff.Delay(d.attempt())
		} else if b.heldBack(g.delivery) {
			delay = b.r.Backoff.Delay(heldBackSteps)
		}
		for _, p := range pack.Encode(groups[g], pack.Options{Encoding: b.r.Encoding}) {
			a := attrs
			a.ContentType, a.Encoding, a.Count = p.ContentType, p.Encoding, p.End-p.First
			out = append(out, outgoing{body: p.Body, attrs: a, delay: delay})
			owner = append(owner, g.delivery)
		}
	}
	if len(out) == 0 {
		return
	}
	for i, err := range b.r.send(ctx, b.r.Retry, out) {
		if err != nil {
			b.failed[owner[i]] = true
			b.rep.list(Failure{Delivery: b.in.Deliveries[owner[i]].ID, Err: fmt.Errorf("send back to %s: %w", b.r.Name, err)})
		}
	}
}

// heldBackSteps is the step of the backoff at which events that were held back wait: half
// a minute with the default base. They count no attempts, so their window does not grow;
// the largest one would keep them for minutes after what they wait for is back.
const heldBackSteps = 5

// heldBack reports whether unstarted events of the delivery wait for something else than
// time: they come back delayed, not in a tight loop.
func (b *batch) heldBack(delivery int) bool {
	for i := range b.items {
		it := &b.items[i]
		if it.delivery == delivery && it.fate == fateLater && fault.ReasonOf(it.err) != fault.DeadlineNear {
			return true
		}
	}
	return false
}

// firstFailure of an event that fails now: SQS does not say when an earlier receive
// failed, but when the first one was.
func (d *Delivery) firstFailure(now time.Time) time.Time {
	switch {
	case !d.Attrs.FirstFailure.IsZero():
		return d.Attrs.FirstFailure
	case d.Receive > 1 && !d.FirstReceived.IsZero():
		return d.FirstReceived
	}
	return now
}
