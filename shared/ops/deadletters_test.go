package ops

import (
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/redrive"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/stage/ingest"
)

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// shelf keeps messages by queue: what a stage sends to its dead-letter queue, to be browsed.
type shelf struct {
	msgs map[string][]queue.Received
	fail error // at the end of each queue
}

func (s *shelf) Browse(_ context.Context, name string) iter.Seq2[queue.Received, error] {
	return func(yield func(queue.Received, error) bool) {
		msgs, ok := s.msgs[name]
		if !ok {
			yield(queue.Received{}, fmt.Errorf("%s: %w", name, queue.ErrNoQueue))
			return
		}
		for _, m := range msgs {
			if !yield(m, nil) {
				return
			}
		}
		if s.fail != nil {
			yield(queue.Received{}, s.fail)
		}
	}
}

func (s *shelf) put(name string, m queue.Message) {
	if s.msgs == nil {
		s.msgs = make(map[string][]queue.Received)
	}
	id := fmt.Sprintf("%s-%d", name, len(s.msgs[name]))
	s.msgs[name] = append(s.msgs[name], queue.Received{ID: id, Body: m.Body, Attributes: m.Attributes, Sent: testTime.Add(time.Minute)})
}

type senderTo struct {
	s    *shelf
	name string
}

func (t senderTo) Send(_ context.Context, msgs []queue.Message) []error {
	for _, m := range msgs {
		t.s.put(t.name, m)
	}
	return make([]error, len(msgs))
}

// claims keeps bodies in memory.
type claims map[string][]byte

func (c claims) Put(_ context.Context, b []byte) (string, error) {
	ref := fmt.Sprint(len(c))
	c[ref] = append([]byte{}, b...)
	return ref, nil
}

func (c claims) Get(_ context.Context, ref string) ([]byte, error) {
	b, ok := c[ref]
	if !ok {
		return nil, fault.New(fault.ClaimMissing, "%s", ref)
	}
	return b, nil
}

// poison fails every event.
type poison struct{ err error }

func (p poison) Do(_ context.Context, batch []event.Event) []pipeline.Outcome {
	outs := make([]pipeline.Outcome, len(batch))
	for i := range outs {
		outs[i] = pipeline.Fail(p.err)
	}
	return outs
}

// bury runs the stage on the deliveries; all of them end in its dead-letter queue.
func bury(t *testing.T, s *shelf, c claims, stage string, err error, deliveries ...pipeline.Delivery) {
	t.Helper()
	now := func() time.Time { return testTime }
	door := &ingest.Door{MaxEvent: 1 << 20, Now: now}
	r := pipeline.Runner{
		Name: stage, Stage: poison{err}, Dead: senderTo{s, stage + "-dlq"}, Claims: c,
		MaxAttempts: 3, Encoding: pack.S2, MaxEvent: 1 << 20, ClaimOver: 5000, Now: now,
	}
	if stage == spec.Ingest {
		r.Decode = door.Decode
	}
	res, err := r.Run(t.Context(), pipeline.Invocation{RequestID: "r", Deliveries: deliveries})
	if err != nil || len(res.Failed) > 0 {
		t.Fatalf("%v %v", res, err)
	}
}

func kafkaRecord(value string, headers ...event.Header) pipeline.Delivery {
	return pipeline.Delivery{
		ID: "events-0@7", Body: []byte(value), Arrived: testTime,
		Kafka: &pipeline.KafkaRecord{Topic: "events", Partition: 0, Offset: 7, Key: []byte("k"), Headers: headers},
	}
}

func packOf(ids ...string) pipeline.Delivery {
	var events []event.Event
	for _, id := range ids {
		e, err := event.Parse([]byte(eventJSON(id)))
		if err != nil {
			panic(err)
		}
		events = append(events, e)
	}
	p := pack.Encode(events, pack.Options{Encoding: pack.S2})[0]
	return pipeline.Delivery{
		ID: "m", Body: p.Body, Receive: 3, FirstReceived: testTime.Add(-time.Hour),
		Attrs: pipeline.Attrs{ContentType: p.ContentType, Encoding: p.Encoding, Count: len(ids)},
	}
}

// What is shown is what arrived, however the dead letter carries it.
func TestDeadLettersShowWhatArrived(t *testing.T) {
	big := strings.Replace(eventJSON("big"), `"data"`, `"subject":"`+strings.Repeat("x", 8000)+`","data"`, 1)
	handler := fault.New(fault.HandlerError, "boom")
	for _, tc := range []struct {
		name   string
		stage  string
		err    error
		d      pipeline.Delivery
		body   string
		reason fault.Reason
		id     string
		events int
	}{
		{"a Kafka record that is no JSON", spec.Ingest, nil, kafkaRecord("nonsense"), "nonsense", fault.NotJSON, "", 0},
		{"a Kafka record that is no text", spec.Ingest, nil, kafkaRecord("\xff\x00"), "\xff\x00", fault.NotJSON, "", 0},
		{"an event without a type", spec.Ingest, nil, kafkaRecord(`{"specversion":"1.0","id":"e1","source":"/s"}`),
			`{"specversion":"1.0","id":"e1","source":"/s"}`, fault.MissingAttribute, "e1", 0},
		{"binary mode without a type", spec.Ingest, nil,
			kafkaRecord("{}", event.Header{Name: "ce_specversion", Value: []byte("1.0")}, event.Header{Name: "CE_ID", Value: []byte("e2")}),
			"{}", fault.MissingAttribute, "e2", 0},
		{"a large record", spec.Ingest, fault.New(fault.SchemaViolation, "no"), kafkaRecord(big), big, fault.SchemaViolation, "big", 1},
		{"a handler's failure", spec.Process, handler, packOf("e3"), eventJSON("e3"), fault.HandlerError, "e3", 1},
		{"a message that is no pack", spec.Process, handler,
			pipeline.Delivery{ID: "m", Body: []byte("!!"), Receive: 1, Attrs: pipeline.Attrs{ContentType: event.ContentTypeBatch, Encoding: pack.S2}},
			"!!", fault.BadPack, "", 0},
		{"attributes of its sender", spec.Ingest, nil,
			pipeline.Delivery{ID: "m", Body: []byte("nonsense"), Receive: 1, Foreign: map[string]string{"color": "red"}},
			"nonsense", fault.NotJSON, "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, c := new(shelf), claims{}
			bury(t, s, c, tc.stage, tc.err, tc.d)
			dlq := DeadLetters{Queues: s, Claims: c, MaxEvent: 1 << 20}
			found, err := dlq.Find(t.Context(), tc.stage+"-dlq-0")
			if err != nil || len(found) != 1 {
				t.Fatalf("%v %v", found, err)
			}
			o := found[0]
			if string(o.Body) != tc.body || o.Size != len(tc.body) {
				t.Errorf("%d bytes: %.100q", o.Size, o.Body)
			}
			if o.Reason != tc.reason || o.Stage != tc.stage || o.EventID != tc.id || o.Events != tc.events {
				t.Errorf("%+v", o.DeadLetter)
			}
			if problem := tc.reason == fault.BadPack; problem != (o.Problem != "") {
				t.Errorf("problem %q", o.Problem)
			}
			if o.Attempt != max(tc.d.Receive, 1) || o.FirstFailure.IsZero() || !o.Sent.Equal(testTime.Add(time.Minute)) || o.Error == "" {
				t.Errorf("%+v", o.DeadLetter)
			}
			if d := cmp.Diff(tc.d.Kafka, o.Kafka); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tc.d.Foreign, o.Attributes); d != "" {
				t.Error(d)
			}
		})
	}
}

// A message that the queue itself moved, after receives without an answer, is a whole pack
// without reason or stage.
func TestDeadLetterThatTheQueueMoved(t *testing.T) {
	s := new(shelf)
	d := packOf("a", "b")
	s.put("persist-dlq", queue.Message{Body: d.Body, Attributes: d.Attrs.Map()})
	dlq := DeadLetters{Queues: s, Claims: claims{}, MaxEvent: 1 << 20}
	found, err := dlq.Find(t.Context(), "persist-dlq-0")
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	o := found[0]
	if string(o.Body) != eventJSON("a")+"\n"+eventJSON("b") || o.Events != 2 || o.Stage != spec.Persist || o.Reason != fault.Unknown {
		t.Errorf("%+v\n%s", o.DeadLetter, o.Body)
	}
}

// When the bytes of a claim are gone, what is left is shown with the reason.
func TestDeadLetterWithoutItsClaim(t *testing.T) {
	s, c := new(shelf), claims{}
	bury(t, s, c, spec.Ingest, nil, kafkaRecord(strings.Repeat("x", 8000)))
	clear(c)
	dlq := DeadLetters{Queues: s, Claims: c, MaxEvent: 1 << 20}
	list, err := dlq.List(t.Context(), DeadLetterFilter{}, 10)
	if err != nil || len(list.Letters) != 1 {
		t.Fatalf("%+v %v", list, err)
	}
	if l := list.Letters[0]; l.Reason != fault.NotJSON || !strings.Contains(l.Problem, string(fault.ClaimMissing)) {
		t.Errorf("%+v", l)
	}
}

func TestDeadLettersList(t *testing.T) {
	s, c := new(shelf), claims{}
	for range 5 {
		bury(t, s, c, spec.Ingest, nil, kafkaRecord("nonsense"))
	}
	bury(t, s, c, spec.Process, fault.New(fault.HandlerRejected, "no"), packOf("a"))
	bury(t, s, c, spec.Process, fault.New(fault.HandlerError, "no"), packOf("a"), packOf("b"))
	s.put(spec.Quarantine, queue.Message{Body: []byte(eventJSON("q")), Attributes: pipeline.Attrs{Stage: spec.Process, Reason: fault.HandlerError, ContentType: event.ContentTypeJSON}.Map()})
	dlq := DeadLetters{Queues: s, Claims: c, MaxEvent: 1 << 20}

	all, err := dlq.List(t.Context(), DeadLetterFilter{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := []DeadLetterCount{
		{"ingest-dlq", "ingest", fault.NotJSON, 5, 5}, {"process-dlq", "process", fault.HandlerError, 2, 2},
		{"process-dlq", "process", fault.HandlerRejected, 1, 1}, {spec.Quarantine, "process", fault.HandlerError, 1, 1},
	}
	if d := cmp.Diff(want, all.Counts); d != "" {
		t.Error(d)
	}
	if all.Total != 9 || len(all.Letters) != 3 {
		t.Errorf("%d in all, %d listed", all.Total, len(all.Letters))
	}
	some, err := dlq.List(t.Context(), DeadLetterFilter{Stage: spec.Process, Reason: fault.HandlerError}, 10)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, l := range some.Letters {
		ids = append(ids, l.EventID)
	}
	if d := cmp.Diff([]string{"a", "b", "q"}, ids); d != "" || !some.Letters[2].Quarantined() || some.Letters[0].Quarantined() {
		t.Error(d, some.Letters)
	}
	if found, err := dlq.Find(t.Context(), "a"); err != nil || len(found) != 2 {
		t.Errorf("%d dead letters of event a, %v", len(found), err)
	}
	if found, err := dlq.Find(t.Context(), "nobody"); err != nil || len(found) != 0 {
		t.Errorf("%v %v", found, err)
	}

	s.fail = fmt.Errorf("disk on fire")
	if _, err := dlq.List(t.Context(), DeadLetterFilter{}, 3); err == nil {
		t.Error("an error is lost")
	}
	if _, err := dlq.Find(t.Context(), "nobody"); err == nil {
		t.Error("an error is lost: not found is not known")
	}
	none := DeadLetters{Queues: new(shelf), MaxEvent: 1}
	if list, err := none.List(t.Context(), DeadLetterFilter{}, 3); err != nil || list.Total != 0 {
		t.Errorf("no queues yet: %+v %v", list, err)
	}
}

const discarded = `{"requestContext":{"functionArn":"arn:f","condition":"RetryAttemptsExhausted","approximateInvokeCount":11},` +
	`"responseContext":{"statusCode":200,"executedVersion":"7","functionError":"Unhandled"},"version":"1.0","timestamp":"2026-01-02T03:04:05.678Z",` +
	`"KafkaBatchInfo":{"batchSize":25,"bootstrapServers":"b1:9092","payloadSize":900,"recordsInfo":{"flight-events-1":{"firstRecordOffset":"17","lastRecordOffset":"41"}}}}`

// What SNS and Lambda put aside is listed, counted and shown as what it is.
func TestDeadLettersOfDeployedPipeline(t *testing.T) {
	s := new(shelf)
	p := packOf("a", "b")
	s.put("process-undelivered", queue.Message{Body: p.Body, Attributes: p.Attrs.Map()})
	s.put(spec.KafkaFailed, queue.Message{Body: []byte(discarded)})
	s.put(spec.KafkaFailed, queue.Message{Body: []byte(`{"hello":1}`)})
	dlq := DeadLetters{Queues: s, MaxEvent: 1 << 20}
	list, err := dlq.List(t.Context(), DeadLetterFilter{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []DeadLetterCount{
		{spec.KafkaFailed, "ingest", fault.KafkaDiscarded, 2, 26}, {"process-undelivered", "process", fault.Undelivered, 1, 2},
	}
	if d := cmp.Diff(want, list.Counts); d != "" {
		t.Error(d)
	}
	if l := list.Letters[0]; l.Events != 2 || l.Problem != "" {
		t.Errorf("the pack: %+v", l)
	}
	span := redrive.Span{Topic: "flight-events", Partition: 1, First: 17, Last: 41}
	if l := list.Letters[1]; l.Batch == nil || !slices.Equal(l.Batch.Spans, []redrive.Span{span}) || l.Events != 25 || l.Attempt != 11 || l.Error != "RetryAttemptsExhausted" {
		t.Errorf("the batch: %+v", l)
	}
	if l := list.Letters[2]; l.Batch != nil || !strings.Contains(l.Problem, "KafkaBatchInfo") {
		t.Errorf("what is no batch: %+v", l)
	}
	found, err := dlq.Find(t.Context(), spec.KafkaFailed+"-0")
	if err != nil || len(found) != 1 || string(found[0].Body) != discarded {
		t.Errorf("%+v %v", found, err)
	}
	if some, err := dlq.List(t.Context(), DeadLetterFilter{Reason: fault.Undelivered}, 0); err != nil || some.Total != 1 {
		t.Errorf("%+v %v", some, err)
	}
}

func FuzzDeadLetter(f *testing.F) {
	f.Add([]byte("nonsense"), "", "")
	f.Add([]byte(base64.StdEncoding.EncodeToString([]byte("x"))), "", pack.Base64)
	f.Add([]byte(`{"body":"eA==","kafka":{"topic":"t"}}`), pipeline.ContentTypeEnvelope, "")
	f.Add([]byte(`{"ref":"0","bytes":1}`), "", pipeline.EncodingClaim)
	f.Fuzz(func(t *testing.T, body []byte, contentType, encoding string) {
		s := new(shelf)
		s.put("ingest-dlq", queue.Message{Body: body, Attributes: pipeline.Attrs{ContentType: contentType, Encoding: encoding}.Map()})
		dlq := DeadLetters{Queues: s, Claims: claims{"0": body}, MaxEvent: 1 << 16}
		list, err := dlq.List(t.Context(), DeadLetterFilter{}, 1)
		if err != nil || len(list.Letters) != 1 {
			t.Fatalf("%+v %v", list, err)
		}
	})
}
