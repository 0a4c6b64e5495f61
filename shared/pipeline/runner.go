package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Runner runs one stage on batches of deliveries and keeps the rules of delivery. Its
// fields are set once, before the first Run; Run may be called concurrently.
type Runner struct {
	Name   string  // of the stage, package spec's
	Stage  Stage   // its work
	Decode Decoder // nil: packs, what the stages send each other
	Out    Sender  // the next stage's topic; nil for the last stage
	Retry  Sender  // the stage's own queue
	Dead   Sender  // its dead-letter queue
	Claims Claims  // where bodies too large for a message go

	MaxAttempts int    // tries of one event before it is dead-lettered
	Encoding    string // of packs: pack.S2 or pack.Zstd
	MaxEvent    int    // bytes of one event's JSON
	ClaimOver   int    // bytes of a message body above which it travels by claim check
	Backoff     Backoff

	Breaker func() BreakerState // of what the stage depends on; nil: none
	Usage   func() Usage        // of it, since the call before; nil: nobody measures

	Observe func(Report) // called once at the end of each Run; nil: nobody looks
	Now     func() time.Time
}

// Invocation is what a source hands over at once.
type Invocation struct {
	RequestID  string
	Source     string // "kafka", "sqs", "http" …, for the report
	Deliveries []Delivery
}

// Result says which deliveries are not done: the source must deliver them again.
type Result struct {
	Failed []int // indexes into Invocation.Deliveries, ascending
}

// Decoder reads the events in a delivery whose claim check and envelope are opened
// already. err concerns the whole delivery; an item's Err only that item.
type Decoder func(d *Delivery) (items []event.Item, err error)

// Run does the stage's work on the deliveries. When it returns without an error, all
// deliveries but the failed ones may be acknowledged: everything that came of them is
// durable (rule 1). With an error nothing may be acknowledged.
func (r *Runner) Run(ctx context.Context, in Invocation) (Result, error) {
	b := r.begin(in)
	b.decode(ctx)
	if err := b.work(ctx); err != nil {
		b.failAll(err)
		b.report()
		return Result{}, err
	}
	b.publish(ctx)
	b.settle()
	b.resend(ctx)
	b.bury(ctx)
	return Result{Failed: b.report()}, nil
}

// Accept does the stage's work on events whose sender waits for the answer (HTTP):
// nothing is retried or dead-lettered here, the sender is told. It returns one error
// per event in order; nil means that what came of it is durable.
func (r *Runner) Accept(ctx context.Context, in Invocation, events []event.Event) ([]error, error) {
	in.Deliveries = []Delivery{{ID: in.RequestID}}
	b := r.begin(in)
	for i := range events {
		b.add(0, event.Item{Event: events[i], Raw: events[i].JSON()})
	}
	if err := b.work(ctx); err != nil {
		b.failAll(err)
		b.report()
		return nil, err
	}
	b.publish(ctx)
	errs := make([]error, len(b.items))
	for i := range b.items {
		errs[i] = b.items[i].err
		b.failed[0] = b.failed[0] || errs[i] != nil
	}
	b.report()
	return errs, nil
}

// fate of an event after the stage had it.
type fate uint8

const (
	fateDone  fate = iota // forwarded, stored or dropped
	fateRetry             // try again: the attempt counts
	fateLater             // was not begun: redeliver, no attempt counted
	fateDead              // dead-letter it
)

// fateOf is where the fate of a failed event is decided, and the only place (rules 3 and 6).
func (r *Runner) fateOf(d *Delivery, err error) fate {
	switch fault.KindOf(err) {
	case fault.Permanent:
		return fateDead
	case fault.Unstarted:
		return fateLater
	}
	if d.Receive > 0 && d.attempt() >= r.MaxAttempts {
		return fateDead
	}
	return fateRetry
}

// attempt is the number of the current attempt, 1 on the first. A source that does not
// count receives (Kafka) has only first attempts: it redelivers until the event passes.
func (d *Delivery) attempt() int { return d.Attrs.Attempt + max(d.Receive, 1) }

// item is one event of the batch, or one delivery that could not be decoded.
type item struct {
	delivery int
	event    event.Event // not valid when whole or when its bytes are no event
	raw      []byte      // the element's bytes as they arrived
	valid    bool        // event is valid and goes to the stage
	whole    bool        // stands for the whole delivery
	out      Outcome
	fate     fate
	err      error // why fate is not fateDone
}

// batch is the state of one Run.
type batch struct {
	r      *Runner
	in     Invocation
	start  time.Time
	trace  string // traceparent of this invocation
	items  []item
	failed []bool // by delivery
	rep    Report
}

func (r *Runner) begin(in Invocation) *batch {
	b := &batch{r: r, in: in, start: r.Now(), failed: make([]bool, len(in.Deliveries))}
	b.trace = continueTrace(in.Deliveries)
	b.rep = Report{
		Stage: r.Name, RequestID: in.RequestID, Source: in.Source, TraceParent: b.trace,
		Start: b.start, Deliveries: len(in.Deliveries),
	}
	return b
}

func (b *batch) add(delivery int, it event.Item) {
	n := item{delivery: delivery, event: it.Event, raw: it.Raw, valid: it.Err == nil}
	err := it.Err
	if err == nil {
		err = event.CheckSize(len(it.Raw), b.r.MaxEvent)
	}
	if err != nil {
		n.valid = false
		b.fail(&n, err)
	}
	b.items = append(b.items, n)
	b.rep.Events++
}

func (b *batch) fail(it *item, err error) {
	it.err = err
	it.fate = b.r.fateOf(&b.in.Deliveries[it.delivery], err)
}

func (b *batch) decode(ctx context.Context) {
	for i := range b.in.Deliveries {
		d := &b.in.Deliveries[i]
		b.rep.BytesIn += len(d.Body)
		items, err := b.r.read(ctx, d)
		if err != nil {
			it := item{delivery: i, raw: d.Body, whole: true}
			b.fail(&it, err)
			b.items = append(b.items, it)
			b.rep.Events++
			continue
		}
		for _, it := range items {
			b.add(i, it)
		}
	}
}

// work lets the stage have the valid events. Its error means that the stage broke its
// contract: nothing may be acknowledged (rule 2).
func (b *batch) work(ctx context.Context) error {
	events := make([]event.Event, 0, len(b.items))
	index := make([]int, 0, len(b.items))
	for i := range b.items {
		if b.items[i].valid {
			events = append(events, b.items[i].event)
			index = append(index, i)
		}
	}
	if len(events) == 0 {
		return nil
	}
	ctx, cancel := stageContext(withRequestID(ctx, b.in.RequestID), b.r.Now())
	defer cancel()
	outs, err := b.r.do(ctx, events)
	if err != nil {
		return err
	}
	for k, out := range outs {
		it := &b.items[index[k]]
		it.out = out
		if out.Err != nil {
			b.fail(it, out.Err)
		}
	}
	return nil
}

// do calls the stage. When it panics, the batch is halved until the event that causes
// it stands alone: its neighbours are unaffected.
func (r *Runner) do(ctx context.Context, events []event.Event) ([]Outcome, error) {
	outs, p := r.try(ctx, events)
	switch {
	case p == nil && len(outs) == len(events):
		return outs, nil
	case p == nil:
		return nil, fault.New(fault.Bug, "stage %s returned %d outcomes for %d events", r.Name, len(outs), len(events))
	case len(events) == 1:
		return []Outcome{Fail(p)}, nil
	}
	half := len(events) / 2
	left, err := r.do(ctx, events[:half])
	if err != nil {
		return nil, err
	}
	right, err := r.do(ctx, events[half:])
	if err != nil {
		return nil, err
	}
	return append(left, right...), nil
}

func (r *Runner) try(ctx context.Context, events []event.Event) (outs []Outcome, panicked error) {
	defer func() {
		if p := recover(); p != nil {
			panicked = &fault.Error{Kind: fault.Transient, Reason: fault.HandlerPanic, Op: r.Name, Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	return r.Stage.Do(ctx, events), nil
}

// failAll reports a batch of which nothing may be acknowledged.
func (b *batch) failAll(err error) {
	for i := range b.failed {
		b.failed[i] = true
	}
	for i := range b.items {
		if it := &b.items[i]; it.fate == fateDone {
			it.fate, it.err = fateRetry, err
		}
	}
}

// errStopped is the cause of a stage context that ended for the deadline's margin.
var errStopped = errors.New("the invocation's deadline is near")
