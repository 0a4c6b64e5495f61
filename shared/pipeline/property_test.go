package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// nature is how an event behaves in the model for its whole life.
type nature int

const (
	healthy  nature = iota // succeeds whenever the stage gets to it
	flaky                  // sometimes fails for a passing reason
	poison                 // fails for good
	panicker               // makes the stage panic
	unwanted               // is dropped
	natures
)

// model drives a Runner through a storm of failures and then a calm, and knows what
// each event deserves.
type model struct {
	*rig
	t       *rapid.T
	nature  map[string]nature
	raw     map[string][]byte // what was sent, by id
	garbage map[string]bool   // bodies that are no events
	dropped map[string]bool
	failed  map[string]bool // the stage failed it at least once
	unsent  map[string]bool // publishing it failed at least once
	storm   bool
}

func newModel(t *rapid.T) *model {
	m := &model{
		t: t, nature: map[string]nature{}, raw: map[string][]byte{}, garbage: map[string]bool{},
		dropped: map[string]bool{}, failed: map[string]bool{}, unsent: map[string]bool{}, storm: true,
	}
	m.rig = newRig(stageFunc(m.stage))

	for _, q := range []*simQueue{&m.out, &m.own, &m.dead} {
		q.fail = m.sendFails
	}
	return m
}

// chance draws a fault that happens in the storm only.
func (m *model) chance(percent int, label string) bool {
	return m.storm && rapid.IntRange(1, 100).Draw(m.t, label) <= percent
}

func (m *model) sendFails() (error, bool) {
	if m.chance(15, "send fails") {
		return errSend, m.chance(50, "answer lost")
	}
	return nil, false
}

func (m *model) stage(_ context.Context, batch []event.Event) []Outcome {
	outs := make([]Outcome, 0, len(batch))
	stop := len(batch)
	if m.chance(10, "deadline") {
		stop = rapid.IntRange(0, len(batch)-1).Draw(m.t, "stop at")
	}
	for i := range batch {
		if i >= stop {
			outs = append(outs, Fail(fault.New(fault.DeadlineNear, "test")))
			continue
		}
		outs = append(outs, m.one(&batch[i]))
	}
	if m.chance(3, "wrong count") {
		return outs[:len(outs)-1]
	}
	return outs
}

func (m *model) one(e *event.Event) Outcome {
	id := e.ID()
	switch n := m.nature[id]; {
	case n == panicker:
		m.failed[id] = true
		panic("poison " + id)
	case n == poison:
		m.failed[id] = true
		return Fail(fault.New(fault.HandlerRejected, "test"))
	case n == flaky && m.chance(60, "flaky"):
		m.failed[id] = true
		return Fail(fmt.Errorf("dependency of %s is down", id))
	case n == unwanted:
		m.dropped[id] = true
		return Drop("unwanted")
	}
	return Forward(*e)
}

// send puts random messages in the stage's queue: packs, plain events and garbage.
func (m *model) send() {
	m.storm = false
	defer func() { m.storm = true }()
	for n := range rapid.IntRange(1, 6).Draw(m.t, "messages") {
		if rapid.IntRange(1, 10).Draw(m.t, "kind") == 1 {
			body := fmt.Sprintf("garbage %d", n)
			m.garbage[body] = true
			m.own.Send(context.Background(), []queue.Message{{Body: []byte(body)}})
			continue
		}
		var events []event.Event
		for k := range rapid.IntRange(1, 12).Draw(m.t, "events") {
			id := fmt.Sprintf("%d.%d", n, k)
			e := mustEvent(m.t, id)
			m.nature[id] = nature(rapid.IntRange(0, int(natures)-1).Draw(m.t, "nature"))
			m.raw[id] = e.JSON()
			events = append(events, e)
		}
		for _, p := range pack.Encode(events, pack.Options{Encoding: pack.S2}) {
			a := Attrs{ContentType: p.ContentType, Encoding: p.Encoding}
			m.own.Send(context.Background(), []queue.Message{{Body: p.Body, Attributes: a.Map()}})
		}
	}
}

// step delivers a random batch.
func (m *model) step() {
	n := min(len(m.own.msgs), 10)
	at := rapid.Permutation(upTo(len(m.own.msgs))).Draw(m.t, "order")[:rapid.IntRange(1, n).Draw(m.t, "batch")]
	ds := m.own.receive(at)
	res, err := m.Run(context.Background(), Invocation{RequestID: "r", Source: "sqs", Deliveries: ds})
	m.noteUnsent()
	if err != nil || m.chance(10, "crash before the ack") {
		return
	}
	for i, d := range ds {
		if !slices.Contains(res.Failed, i) {
			m.own.delete(d.ID)
			m.checkAccounted(d)
		}
	}
}

func (m *model) noteUnsent() {
	for _, f := range m.rep.Failures {
		if fault.ReasonOf(f.Err) == fault.PublishFailed {
			m.unsent[f.Key.ID] = true
		}
	}
	if len(m.rep.Failures) == MaxFailures { // the list is cut: anyone may be among them
		for id := range m.nature {
			m.unsent[id] = true
		}
	}
}

// checkAccounted: a delivery that is acknowledged has left every event somewhere (rule 1).
func (m *model) checkAccounted(d Delivery) {
	items, err := Unpack(&d, 10<<20)
	if err != nil {
		if m.deadBodies()[string(d.Body)] == 0 {
			m.t.Fatalf("%q was acknowledged and is nowhere", d.Body)
		}
		return
	}
	out, own, dead := m.out.events(m.t), m.own.events2(), m.dead.events2()
	for _, it := range items {
		id := it.Event.ID()
		if out[id]+own[id]+dead[id] == 0 && !m.dropped[id] {
			m.t.Fatalf("event %s was acknowledged and is nowhere", id)
		}
	}
}

// events2 is events for queues that may hold garbage.
func (q *simQueue) events2() map[string]int {
	found := make(map[string]int)
	for _, msg := range q.msgs {
		d := msg.delivery()
		items, _ := Unpack(&d, 10<<20)
		for _, it := range items {
			if it.Err == nil {
				found[it.Event.ID()]++
			}
		}
	}
	return found
}

func (m *model) deadBodies() map[string]int {
	found := make(map[string]int)
	for _, msg := range m.dead.msgs {
		found[string(msg.body)]++
	}
	return found
}

func (m *model) check() {
	out, dead, bodies := m.out.events(m.t), m.dead.events2(), m.deadBodies()
	for id, n := range m.nature {
		if out[id]+dead[id] == 0 && !m.dropped[id] {
			m.t.Errorf("event %s (nature %d) is lost", id, n)
		}
		if dead[id] > 0 && !m.failed[id] && !m.unsent[id] {
			m.t.Errorf("event %s (nature %d) was dead-lettered without cause", id, n)
		}
		if (n == poison || n == panicker) && dead[id] == 0 {
			m.t.Errorf("event %s (nature %d) never reached the dead-letter queue", id, n)
		}
		if (n == poison || n == panicker) && out[id] > 0 {
			m.t.Errorf("event %s (nature %d) was forwarded", id, n)
		}
	}
	for body := range m.garbage {
		if bodies[body] == 0 {
			m.t.Errorf("%q is lost", body)
		}
	}
	m.checkDeadLetters()
}

// checkDeadLetters: original bytes, and a reason, stage, attempt and time (rule 4).
func (m *model) checkDeadLetters() {
	for _, msg := range m.dead.msgs {
		d := msg.delivery()
		a := d.Attrs
		if !a.Reason.Known() || a.Stage != "process" || a.Attempt < 1 || a.FirstFailure.IsZero() || a.Error == "" {
			m.t.Errorf("dead letter without its story: %v", msg.attrs)
		}
		if m.garbage[string(msg.body)] {
			continue
		}
		items, err := Unpack(&d, 10<<20)
		if err != nil || len(items) != 1 {
			m.t.Errorf("dead letter %q: %d events, %v", msg.body, len(items), err)
			continue
		}
		if want := m.raw[items[0].Event.ID()]; !bytes.Equal(msg.body, want) {
			m.t.Errorf("dead letter's bytes changed:\n got %s\nwant %s", msg.body, want)
		}
	}
}

func upTo(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// TestRulesOfDelivery: whatever fails, in whatever order, and however often the process
// dies before an acknowledgement, once the storm is over every event has been forwarded,
// dropped on purpose, or dead-lettered with cause and with its bytes unchanged.
func TestRulesOfDelivery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		m.send()
		for range rapid.IntRange(0, 12).Draw(t, "storm") {
			if len(m.own.msgs) > 0 {
				m.step()
			}
		}
		m.storm = false
		for round := 0; len(m.own.msgs) > 0; round++ {
			if round > 500 {
				t.Fatalf("%d messages never come to an end", len(m.own.msgs))
			}
			m.step()
		}
		m.check()
	})
}

// TestKafkaPartitions: whatever fails, the offset that may be committed has only done
// records before it, and everything from the first failure on is reported (rule 7).
func TestKafkaPartitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fail := map[string]bool{}
		g := newRig(each(func(e *event.Event) Outcome {
			if fail[e.ID()] {
				return Fail(errSend)
			}
			return Forward(*e)
		}))
		g.Decode = func(d *Delivery) ([]event.Item, error) {
			e, err := event.Parse(d.Body)
			return []event.Item{{Event: e, Raw: d.Body, Err: err}}, nil
		}
		var ds []Delivery
		bad := map[int]bool{}
		for p := range rapid.IntRange(1, 3).Draw(t, "partitions") {
			for off := range rapid.IntRange(1, 8).Draw(t, "records") {
				id := fmt.Sprintf("%d-%d", p, off)
				body := eventBytes(t, id)
				switch rapid.IntRange(0, 4).Draw(t, "nature") {
				case 0:
					fail[id] = true
				case 1:
					body = []byte("no event " + id)
					bad[len(ds)] = true
				}
				ds = append(ds, Delivery{ID: id, Body: body, Kafka: &KafkaRecord{Topic: "t", Partition: int32(p), Offset: int64(off)}})
			}
		}
		res, err := g.Run(context.Background(), Invocation{Deliveries: ds})
		if err != nil {
			t.Fatal(err)
		}
		out := g.out.events(t)
		broken := map[int32]bool{}
		dead := 0
		for i, d := range ds {
			broken[d.Kafka.Partition] = broken[d.Kafka.Partition] || fail[d.ID]
			if got := slices.Contains(res.Failed, i); got != broken[d.Kafka.Partition] {
				t.Errorf("%s reported as failed: %v, want %v", d.ID, got, !got)
			}
			if !broken[d.Kafka.Partition] && bad[i] {
				dead++
			}
			if !broken[d.Kafka.Partition] && !bad[i] && out[d.ID] != 1 {
				t.Errorf("%s is done but was forwarded %d times", d.ID, out[d.ID])
			}
		}
		if len(g.dead.msgs) != dead {
			t.Errorf("%d dead letters, want %d: none for records that come again", len(g.dead.msgs), dead)
		}
	})
}
