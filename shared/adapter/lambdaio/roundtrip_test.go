package lambdaio

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

func kafkaRecord(topic string, partition int32, offset int64) KafkaRecord {
	return KafkaRecord{
		KafkaRecord: pipeline.KafkaRecord{
			Topic: topic, Partition: partition, Offset: offset, Key: []byte("key"),
			Headers: []event.Header{{Name: "n", Value: []byte("value")}, {Name: "n", Value: []byte{0, 127, 128, 255}}},
		},
		Value: fmt.Appendf(nil, "value %d", offset), Timestamp: ms(1_790_000_000_000 + offset),
	}
}

// bytesOrNil draws bytes, nil among them.
func bytesOrNil(max int) *rapid.Generator[[]byte] {
	return rapid.OneOf(rapid.Just[[]byte](nil), rapid.SliceOfN(rapid.Byte(), 0, max))
}

func genRecords(t *rapid.T) []KafkaRecord {
	var records []KafkaRecord
	for p := range rapid.IntRange(1, 4).Draw(t, "partitions") {
		topic := rapid.StringMatching(`[a-zA-Z0-9._-]{1,20}`).Draw(t, "topic")
		offset := rapid.Int64Range(0, 1<<62).Draw(t, "offset")
		for range rapid.IntRange(1, 5).Draw(t, "records") {
			r := KafkaRecord{
				KafkaRecord: pipeline.KafkaRecord{
					Topic: topic, Partition: int32(p), Offset: offset, Key: bytesOrNil(100).Draw(t, "key"),
				},
				Value:         bytesOrNil(300).Draw(t, "value"),
				Timestamp:     ms(rapid.Int64Range(0, 1<<41).Draw(t, "timestamp")),
				LogAppendTime: rapid.Bool().Draw(t, "append time"),
			}
			for range rapid.IntRange(0, 3).Draw(t, "headers") {
				r.Headers = append(r.Headers, event.Header{
					Name:  rapid.String().Draw(t, "name"),
					Value: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "header"),
				})
			}
			records = append(records, r)
			offset += rapid.Int64Range(1, 3).Draw(t, "gap")
		}
	}
	return records
}

func (r KafkaRecord) delivery() pipeline.Delivery {
	k := r.KafkaRecord
	return pipeline.Delivery{
		ID: positionOf(&k).String(), Body: r.Value, Kafka: &k, Arrived: r.Timestamp,
	}
}

// TestKafkaRoundTrip: what AppendKafkaEvent writes, Decode and aws-lambda-go read.
func TestKafkaRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := genRecords(t)
		payload, n := AppendKafkaEvent(nil, []string{"a:1", "b:2"}, records)
		if n != len(records) {
			t.Fatalf("%d of %d records", n, len(records))
		}
		in, err := Decode(payload)
		if err != nil {
			t.Fatal(err)
		}
		want := &Invocation{Kind: Kafka}
		for _, r := range records {
			want.Deliveries = append(want.Deliveries, r.delivery())
		}
		if diff := cmp.Diff(want, in); diff != "" {
			t.Fatalf("want -, got +\n%s", diff)
		}

		var e events.KafkaEvent
		if err := json.Unmarshal(payload, &e); err != nil {
			t.Fatal(err)
		}
		if e.EventSource != "SelfManagedKafka" || e.BootstrapServers != "a:1,b:2" {
			t.Fatalf("source %q, servers %q", e.EventSource, e.BootstrapServers)
		}
		var read []KafkaRecord
		for _, r := range records {
			list := e.Records[fmt.Sprintf("%s-%d", r.Topic, r.Partition)]
			i := slices.IndexFunc(list, func(x events.KafkaRecord) bool { return x.Offset == r.Offset })
			if i < 0 {
				t.Fatalf("%s-%d@%d is missing", r.Topic, r.Partition, r.Offset)
			}
			read = append(read, fromLambdaGo(t, list[i]))
		}
		if diff := cmp.Diff(records, read, cmp.Comparer(sameBytes)); diff != "" {
			t.Fatalf("aws-lambda-go: want -, got +\n%s", diff)
		}
	})
}

// sameBytes: aws-lambda-go does not tell null from "".
func sameBytes(a, b []byte) bool { return string(a) == string(b) }

func fromLambdaGo(t *rapid.T, r events.KafkaRecord) KafkaRecord {
	decode := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	out := KafkaRecord{
		KafkaRecord: pipeline.KafkaRecord{Topic: r.Topic, Partition: int32(r.Partition), Offset: r.Offset, Key: decode(r.Key)},
		Value:       decode(r.Value), Timestamp: r.Timestamp.Time, LogAppendTime: r.TimestampType == "LOG_APPEND_TIME",
	}
	for _, h := range r.Headers {
		for name, value := range h {
			out.Headers = append(out.Headers, event.Header{Name: name, Value: value})
		}
	}
	return out
}

// TestDecodeWhatLambdaGoMarshals: the other way, from the events types' own JSON.
func TestDecodeWhatLambdaGoMarshals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := events.KafkaEvent{EventSource: "aws:kafka", EventSourceARN: "arn:aws:kafka:x", Records: map[string][]events.KafkaRecord{}}
		want := map[string]pipeline.Delivery{}
		for _, r := range genRecords(t) {
			name := fmt.Sprintf("%s-%d", r.Topic, r.Partition)
			x := events.KafkaRecord{
				Topic: r.Topic, Partition: int64(r.Partition), Offset: r.Offset,
				Timestamp: events.MilliSecondsEpochTime{Time: r.Timestamp},
				Key:       base64.StdEncoding.EncodeToString(r.Key), Value: base64.StdEncoding.EncodeToString(r.Value),
			}
			for _, h := range r.Headers {
				x.Headers = append(x.Headers, map[string]events.JSONNumberBytes{h.Name: h.Value})
			}
			e.Records[name] = append(e.Records[name], x)
			d := r.delivery()
			want[d.ID] = d
		}
		payload, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		in, err := Decode(payload)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]pipeline.Delivery{}
		for _, d := range in.Deliveries {
			got[d.ID] = d
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(sameBytes)); diff != "" {
			t.Fatalf("want -, got +\n%s", diff)
		}
	})
}

// genText draws text that a queue takes, often with what JSON must escape.
func genText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.StringMatching(`[\x09\x0a\x0d "\\/{}\x{2028}\x{2029}<>&é😀a-z]{0,80}`),
		rapid.StringMatching(`[A-Za-z0-9+/]{0,200}=`),
	).Filter(func(s string) bool { return queue.IsText([]byte(s)) })
}

func genMessages(t *rapid.T) []queue.Received {
	messages := make([]queue.Received, rapid.IntRange(1, 10).Draw(t, "messages"))
	for i := range messages {
		messages[i] = queue.Received{
			ID: fmt.Sprintf("id-%d", i), Receipt: rapid.StringN(1, 50, -1).Draw(t, "receipt"),
			Body:         []byte(genText().Draw(t, "body")),
			Attributes:   rapid.MapOfN(rapid.StringMatching(`[a-zA-Z0-9_.-]{1,20}`), genText(), 0, 10).Draw(t, "attributes"),
			ReceiveCount: rapid.IntRange(1, 1000).Draw(t, "receives"),
			Sent:         ms(rapid.Int64Range(1, 1<<41).Draw(t, "sent")),
			FirstReceive: ms(rapid.Int64Range(1, 1<<41).Draw(t, "received")),
		}
	}
	return messages
}

const testARN = "arn:aws:sqs:eu-west-1:123456789012:process"

// TestSQSRoundTrip: what AppendSQSEvent writes, Decode and aws-lambda-go read.
func TestSQSRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		messages := genMessages(t)
		payload, n := AppendSQSEvent([]byte("before"), testARN, messages)
		if n != len(messages) {
			t.Fatalf("%d of %d messages", n, len(messages))
		}
		payload = payload[len("before"):]
		want := &Invocation{Kind: SQS, SourceARN: testARN}
		for _, m := range messages {
			d := pipeline.Delivery{
				ID: m.ID, Body: m.Body, Receive: m.ReceiveCount, Arrived: m.Sent, FirstReceived: m.FirstReceive,
			}
			d.Attrs, d.Foreign = pipeline.ParseAttrs(m.Attributes)
			want.Deliveries = append(want.Deliveries, d)
		}
		in, err := Decode(payload)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, in); diff != "" {
			t.Fatalf("want -, got +\n%s", diff)
		}

		var e events.SQSEvent
		if err := json.Unmarshal(payload, &e); err != nil {
			t.Fatal(err)
		}
		for i, m := range messages {
			attributes := map[string]string{}
			for name, a := range e.Records[i].MessageAttributes {
				attributes[name] = *a.StringValue
			}
			r := &e.Records[i]
			if r.MessageId != m.ID || r.Body != string(m.Body) || r.ReceiptHandle != m.Receipt || !maps.Equal(attributes, m.Attributes) ||
				r.EventSource != "aws:sqs" || r.EventSourceARN != testARN || r.AWSRegion != "eu-west-1" ||
				r.Attributes["ApproximateReceiveCount"] != fmt.Sprint(m.ReceiveCount) ||
				r.Attributes["SentTimestamp"] != fmt.Sprint(m.Sent.UnixMilli()) {
				t.Fatalf("aws-lambda-go reads %+v of %+v", r, m)
			}
		}
	})
}

// TestAppendStringAgreesWithEncodingJSON on any bytes: the same value comes back, and
// only what must be escaped is.
func TestAppendStringAgreesWithEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		var ours, theirs string
		b := appendString(nil, s)
		if err := json.Unmarshal(b, &ours); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		j, err := json.Marshal(s)
		if err != nil || json.Unmarshal(j, &theirs) != nil || ours != theirs {
			t.Fatalf("%q reads as %q, want %q", b, ours, theirs)
		}
		if !utf8.Valid(b) || len(b) > len(j) {
			t.Fatalf("%q is not UTF-8 or longer than %q", b, j)
		}
	})
	if got := string(appendString(nil, "\u2028\u2029<é😀")); got != "\"\u2028\u2029<é😀\"" {
		t.Errorf("escaped what needs none: %s", got)
	}
}
