package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	sqlitequeue "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/queue"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/redrive"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// broker is a real one; fail decides which entries of a send fail.
type broker struct {
	*sqlitequeue.Broker
	mu   sync.Mutex // fail is called by one at a time
	fail func() bool
}

func (b *broker) fails() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fail != nil && b.fail()
}

func (b *broker) Queue(ctx context.Context, name string) (queue.Queue, error) {
	q, err := b.Broker.Queue(ctx, name)
	return &failingQueue{q, b}, err
}

type failingQueue struct {
	queue.Queue
	b *broker
}

func (q *failingQueue) Send(ctx context.Context, msgs []queue.Message) []error {
	errs := make([]error, len(msgs))
	for i, m := range msgs {
		if q.b.fails() {
			errs[i] = fmt.Errorf("entry %d was not taken", i)
			continue
		}
		errs[i] = q.Queue.Send(ctx, []queue.Message{m})[0]
	}
	return errs
}

func newBroker(t testing.TB) *broker {
	t.Helper()
	b, err := sqlitequeue.Open(t.Context(), filepath.Join(t.TempDir(), "queues.db"), sqlitequeue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	names := []string{spec.Quarantine}
	for _, s := range spec.Stages {
		names = append(names, s.Queue(), s.DLQ())
		if s.HasTopic() {
			names = append(names, s.Undelivered())
		}
	}
	for _, n := range names {
		if err := b.Create(t.Context(), n, queue.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	return &broker{Broker: b}
}

type fatal interface{ Fatalf(string, ...any) }

func (b *broker) put(t fatal, name string, m queue.Message) {
	q, err := b.Broker.Queue(context.Background(), name)
	if err == nil {
		err = q.Send(context.Background(), []queue.Message{m})[0]
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// take receives and deletes everything in a queue.
func (b *broker) take(t fatal, name string) []queue.Received {
	q, err := b.Broker.Queue(context.Background(), name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var all []queue.Received
	for {
		got, err := q.Receive(context.Background(), queue.ReceiveOptions{Max: queue.MaxBatch})
		if err != nil {
			t.Fatalf("%v", err)
		}
		if len(got) == 0 {
			return all
		}
		for _, m := range got {
			q.Delete(context.Background(), []string{m.Receipt})
		}
		all = append(all, got...)
	}
}

func letter(reason fault.Reason, redrives int) map[string]string {
	return pipeline.Attrs{
		ContentType: "application/json", Attempt: 5, Reason: reason, Stage: "process", Error: "e", Redrives: redrives,
		FirstFailure: time.Unix(1e9, 0), TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}.Map()
}

// later is a clock beyond every message that the test has sent.
func later() time.Time { return time.Now().Add(time.Hour) }

// sqsmover #5: message attributes were lost on redrive.
func TestLessonAttributesSurviveRedrive(t *testing.T) {
	b := newBroker(t)
	attrs := letter(fault.HandlerError, 1)
	attrs["sender"] = "theirs"
	b.put(t, "process-dlq", queue.Message{Body: []byte("body €"), Attributes: attrs})
	r, err := (&redrive.Engine{Queues: b, MaxRedrives: 3, Now: later}).Run(t.Context(), redrive.Request{})
	if err != nil || r.Redriven != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	want := map[string]string{
		"content-type": "application/json", "redrives": "2", "sender": "theirs",
		"first-failure": "2001-09-09T01:46:40Z", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	got := b.take(t, "process")
	if len(got) != 1 || string(got[0].Body) != "body €" || cmp.Diff(want, got[0].Attributes) != "" {
		t.Errorf("came back as %+v: %s", got, cmp.Diff(want, got[0].Attributes))
	}
}

// What a run that is rerun until nothing fails does, whatever fails on the way: every
// dead letter ends once in the right place, and what was not chosen stays.
func TestNothingIsLostOrDoubled(t *testing.T) {
	b := newBroker(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]string{} // queue by body
		q := redrive.Request{Passing: rapid.Bool().Draw(t, "passing")}
		for range rapid.IntRange(0, 8).Draw(t, "letters") {
			n++
			s := rapid.SampledFrom(spec.Stages).Draw(t, "stage")
			reason := rapid.SampledFrom([]fault.Reason{"", fault.HandlerError, fault.SchemaViolation, fault.StoreUnavailable}).Draw(t, "reason")
			redrives := rapid.IntRange(0, 3).Draw(t, "redrives")
			body := fmt.Sprint("letter ", n)
			from := s.DLQ()
			if s.HasTopic() && rapid.Bool().Draw(t, "undelivered") {
				from, reason = s.Undelivered(), ""
			}
			b.put(t, from, queue.Message{Body: []byte(body), Attributes: letter(reason, redrives)})
			switch {
			case q.Passing && reason == fault.SchemaViolation:
				want[body] = s.DLQ()
			case redrives >= 2:
				want[body] = spec.Quarantine
			default:
				want[body] = s.Queue()
			}
		}
		e := &redrive.Engine{Queues: b, MaxRedrives: 2, Now: later}
		b.fail = func() bool { return rapid.IntRange(0, 3).Draw(t, "fails") == 0 }
		if _, err := e.Run(context.Background(), q); err != nil {
			t.Fatal(err)
		}
		b.fail = nil
		if r, err := e.Run(context.Background(), q); err != nil || r.Failed != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		got := map[string]string{}
		for _, name := range []string{"ingest", "process", "persist", "ingest-dlq", "process-dlq", "persist-dlq", "process-undelivered", "persist-undelivered", spec.Quarantine} {
			for _, m := range b.take(t, name) {
				if got[string(m.Body)] != "" {
					t.Errorf("%s is twice: in %s and %s", m.Body, got[string(m.Body)], name)
				}
				got[string(m.Body)] = name
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("ended elsewhere than wanted: %s", d)
		}
	})
}

// What SNS could not hand over comes back as it was, but for the count of its redrives; a
// pipeline that has no such queues is redriven all the same.
func TestUndelivered(t *testing.T) {
	b := newBroker(t)
	attrs := pipeline.Attrs{ContentType: "application/cloudevents-batch+json", Encoding: "s2", Count: 7, TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	b.put(t, "persist-undelivered", queue.Message{Body: []byte("pack"), Attributes: attrs.Map()})
	e := &redrive.Engine{Queues: b, MaxRedrives: 3, Now: later}
	r, err := e.Run(t.Context(), redrive.Request{Passing: true})
	if err != nil || r.Redriven != 1 || r.ByReason[fault.Undelivered] != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	attrs.Redrives = 1
	got := b.take(t, "persist")
	if len(got) != 1 || string(got[0].Body) != "pack" || cmp.Diff(attrs.Map(), got[0].Attributes) != "" {
		t.Errorf("came back as %+v", got)
	}

	ten := map[string]string{"redrives": "1"} // the most that a message may have
	for i := range 9 {
		ten[fmt.Sprint("a", i)] = "v"
	}
	attrs.Redrives = 3
	b.put(t, "process-undelivered", queue.Message{Body: []byte("often"), Attributes: attrs.Map()})
	b.fail = func() bool { return true }
	b.put(t, "process-undelivered", queue.Message{Body: []byte("stays"), Attributes: ten})
	if r, err = e.Run(t.Context(), redrive.Request{}); err != nil || r.Failed != 2 || len(r.Problems) != 2 || !strings.HasPrefix(r.Problems[0], "process-undelivered: message ") {
		t.Errorf("%+v, %v", r, err)
	}
	b.fail = nil
	if r, err = e.Run(t.Context(), redrive.Request{}); err != nil || r.Redriven != 1 || r.Quarantined != 1 {
		t.Errorf("%+v, %v", r, err)
	}

	e.Queues = without{b, "-undelivered"}
	if r, err := e.Run(t.Context(), redrive.Request{}); err != nil || r.Redriven != 0 {
		t.Errorf("without such queues: %+v, %v", r, err)
	}
	e.Queues = without{b, "ingest-dlq"}
	if _, err := e.Run(t.Context(), redrive.Request{}); !errors.Is(err, queue.ErrNoQueue) {
		t.Errorf("without a dead-letter queue: %v", err)
	}
}

// without is a broker that lacks a queue.
type without struct {
	*broker
	queue string // what its name ends with
}

func (b without) Queue(ctx context.Context, name string) (queue.Queue, error) {
	if strings.HasSuffix(name, b.queue) {
		return nil, fmt.Errorf("%s: %w", name, queue.ErrNoQueue)
	}
	return b.broker.Queue(ctx, name)
}

func TestFilters(t *testing.T) {
	b := newBroker(t)
	for i := range 25 {
		b.put(t, "process-dlq", queue.Message{Body: fmt.Append(nil, i), Attributes: letter(fault.HandlerError, 0)})
	}
	b.put(t, "persist-dlq", queue.Message{Body: []byte("p"), Attributes: letter(fault.StoreRejected, 0)})
	b.put(t, "persist-dlq", queue.Message{Body: []byte("moved by SQS")})
	e := &redrive.Engine{Queues: b, MaxRedrives: 3, Now: later}
	run := func(q redrive.Request) redrive.Result {
		t.Helper()
		r, err := e.Run(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := run(redrive.Request{DryRun: true}); r.Redriven != 27 || r.ByReason[fault.HandlerError] != 25 || r.ByReason[fault.Unknown] != 1 {
		t.Errorf("dry run: %+v", r)
	}
	if r := run(redrive.Request{Stage: "process", Max: 12}); r.Redriven != 12 || len(b.take(t, "process")) != 12 {
		t.Errorf("at most 12: %+v", r)
	}
	if r := run(redrive.Request{Reasons: []fault.Reason{fault.StoreRejected}}); r.Redriven != 1 || r.Left != 14 {
		t.Errorf("by reason: %+v", r)
	}
	if r := run(redrive.Request{Max: 1, DryRun: true}); r.Redriven != 1 {
		t.Errorf("at most 1 of all stages: %+v", r)
	}
	start := time.Now()
	if r := run(redrive.Request{Stage: "process", Rate: 100}); r.Redriven != 13 {
		t.Errorf("by rate: %+v", r)
	}
	if d := time.Since(start); d < 120*time.Millisecond {
		t.Errorf("13 at 100 a second in %s", d)
	}
	for _, q := range []redrive.Request{{Stage: "nope"}, {Reasons: []fault.Reason{"nope"}}, {Max: -1}, {Rate: -1}} {
		if _, err := e.Run(t.Context(), q); err == nil {
			t.Errorf("%+v is accepted", q)
		}
	}
}

// A dead letter that fails again at once is not redriven again by the same run.
func TestRunEndsThoughLettersComeBack(t *testing.T) {
	b := newBroker(t)
	b.put(t, "process-dlq", queue.Message{Body: []byte("old"), Attributes: letter(fault.HandlerError, 0)})
	now := time.Now()
	e := &redrive.Engine{Queues: b, MaxRedrives: 3, Now: func() time.Time { return now }}
	b.fail = func() bool {
		b.put(t, "process-dlq", queue.Message{Body: []byte("back"), Attributes: letter(fault.HandlerError, 1)})
		return false
	}
	r, err := e.Run(t.Context(), redrive.Request{})
	if err != nil || r.Redriven != 1 || len(b.take(t, "process-dlq")) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// BenchmarkRun is the speed of a redrive, in dead letters.
func BenchmarkRun(b *testing.B) {
	br := newBroker(b)
	q, err := br.Broker.Queue(b.Context(), "process-dlq")
	if err != nil {
		b.Fatal(err)
	}
	msgs := make([]queue.Message, b.N)
	for i := range msgs {
		msgs[i] = queue.Message{Body: fmt.Append(nil, i), Attributes: letter(fault.HandlerError, 0)}
	}
	q.Send(b.Context(), msgs)
	b.ResetTimer()
	r, err := (&redrive.Engine{Queues: br, MaxRedrives: 3, Now: later}).Run(b.Context(), redrive.Request{})
	if err != nil || r.Redriven != b.N {
		b.Fatalf("%+v, %v", r, err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "letters/s")
}
