package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// start is the fixed clock of these tests.
var start = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

var errSend = errors.New("the queue did not answer")

// simQueue is a queue for the model: messages stay until they are deleted, and every
// receive counts. fail decides about each entry of a send: nil, or the error that the
// sender sees; lost entries were taken although the answer says otherwise.
type simQueue struct {
	next int
	msgs []*simMessage
	fail func() (err error, lost bool)
}

type simMessage struct {
	id       string
	body     []byte
	attrs    map[string]string
	delay    time.Duration
	receives int
}

func (q *simQueue) Send(_ context.Context, msgs []queue.Message) []error {
	errs := make([]error, len(msgs))
	for i, m := range msgs {
		if len(m.Attributes) > queue.MaxAttributes || !queue.IsText(m.Body) {
			errs[i] = queue.ErrInvalid
			continue
		}
		if q.fail != nil {
			err, lost := q.fail()
			if errs[i] = err; err != nil && !lost {
				continue
			}
		}
		q.next++
		q.msgs = append(q.msgs, &simMessage{
			id: fmt.Sprintf("m%d", q.next), body: slices.Clone(m.Body), attrs: maps.Clone(m.Attributes), delay: m.Delay,
		})
	}
	return errs
}

// receive hands out the messages at the given positions.
func (q *simQueue) receive(at []int) []Delivery {
	var ds []Delivery
	for _, i := range at {
		m := q.msgs[i]
		m.receives++
		ds = append(ds, m.delivery())
	}
	return ds
}

func (m *simMessage) delivery() Delivery {
	a, foreign := ParseAttrs(m.attrs)
	return Delivery{ID: m.id, Body: m.body, Attrs: a, Foreign: foreign, Arrived: start, Receive: max(m.receives, 1), FirstReceived: start}
}

func (q *simQueue) delete(id string) {
	q.msgs = slices.DeleteFunc(q.msgs, func(m *simMessage) bool { return m.id == id })
}

// events are the events in all messages of the queue.
func (q *simQueue) events(t interface{ Fatalf(string, ...any) }) map[string]int {
	found := make(map[string]int)
	for _, m := range q.msgs {
		d := m.delivery()
		items, err := Unpack(&d, 10<<20)
		if err != nil {
			t.Fatalf("message %s does not unpack: %v", m.id, err)
		}
		for _, it := range items {
			if it.Err == nil {
				found[it.Event.ID()]++
			}
		}
	}
	return found
}

// stageFunc is a Stage made of a function.
type stageFunc func(ctx context.Context, batch []event.Event) []Outcome

func (f stageFunc) Do(ctx context.Context, batch []event.Event) []Outcome { return f(ctx, batch) }

// each makes a Stage that treats events one by one.
func each(f func(e *event.Event) Outcome) Stage {
	return stageFunc(func(_ context.Context, batch []event.Event) []Outcome {
		outs := make([]Outcome, len(batch))
		for i := range batch {
			outs[i] = f(&batch[i])
		}
		return outs
	})
}

func forward(e *event.Event) Outcome { return Forward(*e) }

// rig is a Runner with its queues.
type rig struct {
	Runner
	out, own, dead simQueue
	rep            Report
}

func newRig(s Stage) *rig {
	g := &rig{}
	g.Runner = Runner{
		Name: "process", Stage: s, Out: &g.out, Retry: &g.own, Dead: &g.dead, Claims: memClaims{},
		MaxAttempts: 3, Encoding: pack.S2, MaxEvent: 1 << 20, ClaimOver: 200 << 10,
		Backoff: Backoff{Base: time.Second, Max: time.Minute, Rand: func() float64 { return 0.5 }},
		Observe: func(r Report) { g.rep = r },
		Now:     func() time.Time { return start },
	}
	return g
}

// run runs the messages of the rig's own queue once and deletes those that are done, as
// Lambda does.
func (g *rig) run(t *testing.T) Result {
	t.Helper()
	at := make([]int, len(g.own.msgs))
	for i := range at {
		at[i] = i
	}
	return g.runSome(t, at)
}

func (g *rig) runSome(t *testing.T, at []int) Result {
	t.Helper()
	ds := g.own.receive(at)
	res, err := g.Run(t.Context(), Invocation{RequestID: "r", Source: "sqs", Deliveries: ds})
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range ds {
		if !slices.Contains(res.Failed, i) {
			g.own.delete(d.ID)
		}
	}
	return res
}

// put sends events to the rig's own queue as one pack.
func (g *rig) put(t *testing.T, ids ...string) {
	t.Helper()
	var events []event.Event
	for _, id := range ids {
		events = append(events, mustEvent(t, id))
	}
	for _, p := range pack.Encode(events, pack.Options{Encoding: pack.S2}) {
		a := Attrs{ContentType: p.ContentType, Encoding: p.Encoding, Count: p.End - p.First}
		if err := g.own.Send(t.Context(), []queue.Message{{Body: p.Body, Attributes: a.Map()}})[0]; err != nil {
			t.Fatal(err)
		}
	}
}

type fataler interface {
	Helper()
	Fatal(...any)
}

func mustEvent(t fataler, id string) event.Event {
	t.Helper()
	e, err := event.Parse([]byte(`{"specversion":"1.0","id":"` + id + `","source":"/test","type":"t","data":{"n":"` + id + `"}}`))
	if err != nil {
		t.Fatal(err)
	}
	return e.Stamp(start.Add(-time.Second).UnixMilli())
}

type memClaims map[string][]byte

func (m memClaims) Put(_ context.Context, body []byte) (string, error) {
	ref := fmt.Sprint(len(m))
	m[ref] = slices.Clone(body)
	return ref, nil
}

func (m memClaims) Get(_ context.Context, ref string) ([]byte, error) {
	if b, ok := m[ref]; ok {
		return b, nil
	}
	return nil, fault.New(fault.ClaimMissing, "%s", ref)
}

func eventBytes(t fataler, id string) []byte {
	e := mustEvent(t, id)
	return e.JSON()
}
