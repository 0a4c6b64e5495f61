package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	kafkabroker "github.com/millrace-pipeline/millrace/shared/adapter/kafkaio/broker"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/redrive"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// The topic of these tests: two partitions of so many records, of which Kafka has deleted
// the first ones of the second.
const (
	topic   = "flight-events"
	written = 40
	deleted = 15
)

// newTopic is Kafka with the topic.
func newTopic(t *testing.T) *kafkaio.Reader {
	t.Helper()
	b, err := kafkabroker.Start(t.Context(), kafkabroker.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	c := kafkaio.Config{Brokers: []string{b.Addr()}}
	client, err := kafkaio.Dial(t.Context(), &c, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kafkaio.EnsureTopic(t.Context(), client, topic, 2); err != nil {
		t.Fatal(err)
	}
	for p := range int32(2) {
		for i := range written {
			r := &kgo.Record{
				Topic: topic, Partition: p, Key: []byte("key"), Value: fmt.Append(nil, i), Timestamp: time.UnixMilli(1_700_000_000_000),
				Headers: []kgo.RecordHeader{{Key: "ce_id", Value: fmt.Append(nil, i)}},
			}
			if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var gone kadm.Offsets
	gone.AddOffset(topic, 1, deleted, -1)
	if res, err := kadm.NewClient(client).DeleteRecords(t.Context(), gone); err != nil || res.Error() != nil {
		t.Fatal(err, res.Error())
	}
	r, err := kafkaio.NewReader(t.Context(), &c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// discarded is Lambda's message on these spans.
func discarded(spans ...redrive.Span) []byte {
	var infos []string
	for _, s := range spans {
		infos = append(infos, fmt.Sprintf(`"%s-%d":{"firstRecordOffset":"%d","lastRecordOffset":"%d"}`, s.Topic, s.Partition, s.First, s.Last))
	}
	return fmt.Appendf(nil, `{"requestContext":{"condition":"RetryAttemptsExhausted"},"KafkaBatchInfo":{"bootstrapServers":"b:9092","recordsInfo":{%s}}}`, strings.Join(infos, ","))
}

// newBatches is a broker with the queue of discarded batches, which holds the messages.
func newBatches(t *testing.T, bodies ...[]byte) *broker {
	t.Helper()
	b := newBroker(t)
	if err := b.Create(t.Context(), spec.KafkaFailed, queue.Config{}); err != nil {
		t.Fatal(err)
	}
	for _, body := range bodies {
		b.put(t, spec.KafkaFailed, queue.Message{Body: body})
	}
	return b
}

// The record comes to ingest as from Kafka, however large it is.
func TestReplayedRecord(t *testing.T) {
	records := newTopic(t)
	b := newBatches(t, discarded(redrive.Span{Topic: topic, Partition: 1, First: 20, Last: 20}))
	kept := claims{}
	p := &redrive.Replayer{Queues: b, Records: records, Claims: kept, ClaimOver: 10, Now: later}
	if r, err := p.Run(t.Context(), redrive.Request{}, redrive.Result{}); err != nil || r.Batches != 1 || r.Records != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	got := b.take(t, spec.Ingest)
	if len(got) != 1 || len(kept) != 1 {
		t.Fatalf("%+v, %d claims", got, len(kept))
	}
	d := opened(t, got[0], kept)
	want := &pipeline.KafkaRecord{Topic: topic, Partition: 1, Offset: 20, Key: []byte("key"), Headers: []event.Header{{Name: "ce_id", Value: []byte("20")}}}
	if diff := cmp.Diff(want, d.Kafka); diff != "" || string(d.Body) != "20" || !d.Arrived.Equal(time.UnixMilli(1_700_000_000_000)) || d.Attrs.Redrives != 1 {
		t.Errorf("%+v: %s", d, diff)
	}
}

// opened is the delivery that ingest sees.
func opened(t fatal, m queue.Received, kept claims) *pipeline.Delivery {
	d := &pipeline.Delivery{Body: m.Body, Arrived: m.Sent}
	d.Attrs, _ = pipeline.ParseAttrs(m.Attributes)
	var err error
	if d.Attrs.Encoding == pipeline.EncodingClaim {
		d, err = pipeline.CheckOut(context.Background(), d, kept)
	}
	if err == nil {
		d, err = pipeline.OpenEnvelope(d)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return d
}

// claims keeps bodies in memory.
type claims map[string][]byte

func (c claims) Put(_ context.Context, b []byte) (string, error) {
	ref := fmt.Sprint(len(c))
	c[ref] = slices.Clone(b)
	return ref, nil
}

func (c claims) Get(_ context.Context, ref string) ([]byte, error) {
	if b, ok := c[ref]; ok {
		return b, nil
	}
	return nil, fault.New(fault.ClaimMissing, "%s", ref)
}

// What Kafka has deleted is named, and its message stays until that is asked for; what
// cannot be read stays always.
func TestReplayTellsOfLosses(t *testing.T) {
	records := newTopic(t)
	b := newBatches(t,
		discarded(redrive.Span{Topic: topic, Partition: 0, First: 3, Last: 4}, redrive.Span{Topic: topic, Partition: 1, First: 10, Last: 16}),
		discarded(redrive.Span{Topic: topic, Partition: 1, First: 2, Last: 3}),
		discarded(redrive.Span{Topic: topic, Partition: 0, First: 30, Last: written}),
		discarded(redrive.Span{Topic: "nowhere", Partition: 0, First: 0, Last: 0}),
		[]byte("hello"),
	)
	p := &redrive.Replayer{Queues: b, Records: records, Now: later}
	lost := []redrive.Span{{Topic: topic, Partition: 1, First: 10, Last: 14}, {Topic: topic, Partition: 1, First: 2, Last: 3}}
	run := func(q redrive.Request) redrive.ReplayResult {
		t.Helper()
		r, err := p.Run(t.Context(), q, redrive.Result{})
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(r.Lost, func(a, b redrive.Span) int { return int(b.First - a.First) })
		return r
	}
	plan := run(redrive.Request{DryRun: true})
	if plan.Batches != 0 || plan.Left != 2 || plan.Records != 4 || plan.Failed != 3 || cmp.Diff(lost, plan.Lost) != "" {
		t.Errorf("the plan: %+v", plan)
	}
	for _, want := range []string{"right cluster", "topic \"nowhere\"", "not what Lambda writes"} {
		if !strings.Contains(strings.Join(plan.Problems, "\n"), want) {
			t.Errorf("no word of %q: %q", want, plan.Problems)
		}
	}
	if len(b.take(t, spec.Ingest)) != 0 {
		t.Error("the plan was executed")
	}
	done := run(redrive.Request{})
	if done.Batches != 0 || done.Left != 2 || done.Records != 4 || done.Failed != 3 || cmp.Diff(lost, done.Lost) != "" {
		t.Errorf("done: %+v", done)
	}
	if n := len(b.take(t, spec.Ingest)); n != 4 {
		t.Errorf("%d records sent, 4 were there", n)
	}
	p.DiscardLost = true
	if r := run(redrive.Request{}); r.Batches != 2 || r.Left != 0 || r.Failed != 3 || cmp.Diff(lost, r.Lost) != "" {
		t.Errorf("let go: %+v", r)
	}
	if left := b.take(t, spec.KafkaFailed); len(left) != 3 {
		t.Errorf("%d messages stay, want those 3 that cannot be read", len(left))
	}
}

func TestReplayFilters(t *testing.T) {
	batch := discarded(redrive.Span{Topic: topic, Partition: 0, First: 3, Last: 4})
	b := newBatches(t, batch, batch, batch)
	p := &redrive.Replayer{Queues: b, Now: later} // counts only, as the command does where no Kafka is named
	for want, q := range map[int][]redrive.Request{
		3: {{}, {Stage: "ingest"}, {Reasons: []fault.Reason{fault.NotJSON, fault.KafkaDiscarded}}},
		2: {{Max: 7}}, // of which 5 were chosen before
		0: {{Stage: "process"}, {Passing: true}, {Reasons: []fault.Reason{fault.NotJSON}}, {Max: 5}},
	} {
		for _, q := range q {
			q.DryRun = true
			r, err := p.Run(t.Context(), q, redrive.Result{ByReason: map[fault.Reason]int{fault.NotJSON: 2, fault.Unknown: 3}})
			if err != nil || r.Batches != want || r.Records != int64(2*want) || r.Failed != 0 {
				t.Errorf("%+v: %+v, %v, want %d", q, r, err, want)
			}
		}
	}
	if _, err := p.Run(t.Context(), redrive.Request{Stage: "nope"}, redrive.Result{}); err == nil {
		t.Error("a stage that is not there is accepted")
	}
	p.Queues = without{b, spec.KafkaFailed}
	if r, err := p.Run(t.Context(), redrive.Request{}, redrive.Result{}); err != nil || r.Batches != 0 {
		t.Errorf("without the queue: %+v, %v", r, err)
	}
}

// copied has the records of the topic in memory, so that many runs take little time.
type copied struct {
	topic   *kafkaio.Reader
	records [2][]pipeline.Delivery
}

func (c copied) fill(t *testing.T) copied {
	t.Helper()
	for p, first := range []int64{0, deleted} {
		for d, err := range c.topic.Read(t.Context(), topic, int32(p), first, written-1) {
			if err != nil {
				t.Fatal(err)
			}
			c.records[p] = append(c.records[p], d)
		}
	}
	return c
}

func (c copied) Bounds(_ context.Context, _ string, partition int32) (start, end int64, err error) {
	return c.records[partition][0].Kafka.Offset, written, nil
}

func (c copied) Read(_ context.Context, _ string, partition int32, first, last int64) iter.Seq2[pipeline.Delivery, error] {
	return func(yield func(pipeline.Delivery, error) bool) {
		for _, d := range c.records[partition] {
			if d.Kafka.Offset >= first && d.Kafka.Offset <= last && !yield(d, nil) {
				return
			}
		}
	}
}

// faulty fails reads on the way, and watches what is received and deleted.
type faulty struct {
	*broker
	records  redrive.Records
	read     func() bool       // fails the next record
	bodies   map[string]string // of what was received, by receipt
	deleting func(body string)
	renewed  int // how often a message was hidden for longer
}

func (f *faulty) Bounds(ctx context.Context, topic string, partition int32) (start, end int64, err error) {
	return f.records.Bounds(ctx, topic, partition)
}

func (f *faulty) Read(ctx context.Context, topic string, partition int32, first, last int64) iter.Seq2[pipeline.Delivery, error] {
	return func(yield func(pipeline.Delivery, error) bool) {
		for d, err := range f.records.Read(ctx, topic, partition, first, last) {
			if f.read != nil && f.read() {
				yield(d, errors.New("the broker went away"))
				return
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

func (f *faulty) Queue(ctx context.Context, name string) (queue.Queue, error) {
	q, err := f.broker.Queue(ctx, name)
	if name == spec.KafkaFailed {
		return &watched{q, f}, err
	}
	return q, err
}

type watched struct {
	queue.Queue
	f *faulty
}

func (w *watched) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Received, error) {
	msgs, err := w.Queue.Receive(ctx, o)
	for i := range msgs {
		w.f.bodies[msgs[i].Receipt] = string(msgs[i].Body)
	}
	return msgs, err
}

func (w *watched) Delete(ctx context.Context, receipts []string) []error {
	for _, r := range receipts {
		w.f.deleting(w.f.bodies[r])
	}
	return w.Queue.Delete(ctx, receipts)
}

func (w *watched) ChangeVisibility(ctx context.Context, receipt string, d time.Duration) error {
	if d > 0 {
		w.f.renewed++
	}
	return w.Queue.ChangeVisibility(ctx, receipt, d)
}

// A batch that takes long stays hidden from others meanwhile.
func TestReplayHoldsItsMessage(t *testing.T) {
	records := copied{topic: newTopic(t)}.fill(t)
	b := newBatches(t, discarded(redrive.Span{Topic: topic, Partition: 0, First: 0, Last: written - 1}))
	f := &faulty{broker: b, records: records, bodies: make(map[string]string), deleting: func(string) {}}
	now := later()
	p := &redrive.Replayer{Queues: f, Records: f, Now: func() time.Time { now = now.Add(45 * time.Second); return now }}
	if r, err := p.Run(t.Context(), redrive.Request{}, redrive.Result{}); err != nil || r.Batches != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if f.renewed != 2 { // 4 batches of 10 messages in 3 minutes: every other one comes after a minute
		t.Errorf("renewed %d times, want 2", f.renewed)
	}
}

// Whatever fails in between, no message is deleted before every record that it stands for
// and Kafka still has is in ingest's queue; run again until nothing fails, all of them are
// there, and only messages about lost records stay.
func TestNoBatchIsDeletedBeforeItsRecordsAreSent(t *testing.T) {
	b := newBatches(t)
	records := copied{topic: newTopic(t)}.fill(t)
	rapid.Check(t, func(t *rapid.T) {
		sent := map[string]bool{}
		collect := func() {
			for _, m := range b.take(t, spec.Ingest) {
				sent[recordName(opened(t, m, nil).Kafka)] = true
			}
		}
		f := &faulty{broker: b, records: records, bodies: make(map[string]string)}
		f.deleting = func(body string) {
			collect()
			for _, name := range namesOf(t, body) {
				if !sent[name] {
					t.Fatalf("%s is deleted before %s is sent", body, name)
				}
			}
		}
		discard := rapid.Bool().Draw(t, "discard lost")
		want, stay := map[string]bool{}, 0
		for range rapid.IntRange(0, 3).Draw(t, "batches") {
			var spans []redrive.Span
			for p := range int32(2) {
				first := rapid.Int64Range(0, written-1).Draw(t, "first")
				spans = append(spans, redrive.Span{Topic: topic, Partition: p, First: first, Last: rapid.Int64Range(first, min(first+12, written-1)).Draw(t, "last")})
			}
			body := discarded(spans...)
			b.put(t, spec.KafkaFailed, queue.Message{Body: body})
			for _, name := range namesOf(t, string(body)) {
				want[name] = true
			}
			if spans[1].First < deleted && !discard {
				stay++
			}
		}
		p := &redrive.Replayer{Queues: f, Records: f, DiscardLost: discard, Now: later}
		fails := func() bool { return rapid.IntRange(0, 15).Draw(t, "fails") == 0 }
		b.fail, f.read = fails, fails
		for range 2 {
			if _, err := p.Run(context.Background(), redrive.Request{}, redrive.Result{}); err != nil {
				t.Fatal(err)
			}
		}
		b.fail, f.read = nil, nil
		if r, err := p.Run(context.Background(), redrive.Request{}, redrive.Result{}); err != nil || r.Failed != 0 || r.Left != stay {
			t.Fatalf("%+v, %v, want %d to stay", r, err, stay)
		}
		collect()
		if d := cmp.Diff(want, sent); d != "" {
			t.Fatalf("sent: %s", d)
		}
		if n := len(b.take(t, spec.KafkaFailed)); n != stay {
			t.Fatalf("%d messages stay, want %d", n, stay)
		}
	})
}

func recordName(k *pipeline.KafkaRecord) string { return fmt.Sprintf("%d@%d", k.Partition, k.Offset) }

// namesOf the records that a batch is about and Kafka still has.
func namesOf(t fatal, body string) (names []string) {
	d, err := redrive.ParseDiscarded([]byte(body))
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, s := range d.Spans {
		for o := s.First; o <= s.Last; o++ {
			if s.Partition == 0 || o >= deleted {
				names = append(names, recordName(&pipeline.KafkaRecord{Partition: s.Partition, Offset: o}))
			}
		}
	}
	return names
}

// The records of a partition go to ingest in their order.
func TestReplayKeepsOrder(t *testing.T) {
	b := newBatches(t, discarded(redrive.Span{Topic: topic, Partition: 0, First: 0, Last: written - 1}))
	p := &redrive.Replayer{Queues: b, Records: newTopic(t), Now: later}
	if _, err := p.Run(t.Context(), redrive.Request{Rate: 1000}, redrive.Result{}); err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, m := range b.take(t, spec.Ingest) {
		got = append(got, opened(t, m, nil).Kafka.Offset)
	}
	if len(got) != written || !slices.IsSorted(got) {
		t.Errorf("%d", got)
	}
}
