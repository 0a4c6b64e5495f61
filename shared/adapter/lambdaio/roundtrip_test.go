package lambdaio

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
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

// TestHTTPRoundTrip: what AppendHTTPEvent writes, Decode and aws-lambda-go read.
func TestHTTPRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &HTTPRequest{
			Method: rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method"), Path: rapid.String().Draw(t, "path"),
			Query:    rapid.String().Draw(t, "query"),
			Headers:  rapid.MapOfN(rapid.StringMatching(`[a-z0-9-]{1,10}`), rapid.String(), 0, 5).Draw(t, "headers"),
			Body:     rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
			SourceIP: "2001:db8::1", RequestID: rapid.String().Draw(t, "id"), Time: ms(rapid.Int64Range(1, 1<<41).Draw(t, "time")),
		}
		want.Headers["content-type"] = rapid.SampledFrom([]string{"", "application/json", "text/plain; charset=utf-8", "application/cloudevents+json", ";"}).Draw(t, "type")
		payload := AppendHTTPEvent(nil, want)
		in, err := Decode(payload)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&Invocation{Kind: HTTP, HTTP: want}, in); diff != "" {
			t.Fatalf("want -, got +\n%s", diff)
		}
		var e events.LambdaFunctionURLRequest
		if err := json.Unmarshal(payload, &e); err != nil {
			t.Fatal(err)
		}
		body := []byte(e.Body)
		if e.IsBase64Encoded {
			if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
				t.Fatal(err)
			}
		}
		if string(body) != string(want.Body) || e.RawPath != want.Path || e.RawQueryString != want.Query ||
			!maps.Equal(e.Headers, want.Headers) || e.RequestContext.HTTP.Method != want.Method ||
			e.RequestContext.HTTP.SourceIP != want.SourceIP || e.RequestContext.TimeEpoch != want.Time.UnixMilli() {
			t.Fatalf("aws-lambda-go reads %+v of %+v", e, want)
		}
	})
}

func TestHTTPResponseRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &HTTPResponse{
			Status:  rapid.IntRange(100, 599).Draw(t, "status"),
			Headers: rapid.MapOfN(rapid.StringMatching(`[a-z0-9-]{1,10}`), rapid.String(), 0, 5).Draw(t, "headers"),
			Body:    rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		answer := want.Append(nil)
		got, err := ParseHTTPResponse(answer)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("want -, got +\n%s", diff)
		}
		var e events.LambdaFunctionURLResponse
		if err := json.Unmarshal(answer, &e); err != nil || e.StatusCode != want.Status || !maps.Equal(e.Headers, want.Headers) {
			t.Fatalf("aws-lambda-go reads %+v of %+v: %v", e, want, err)
		}
	})
	for _, bad := range []string{``, `null`, `{}`, `{"statusCode":"200"}`, `{"statusCode":99}`, `[]`, `{"statusCode":200`,
		`{"statusCode":200,"body":"?","isBase64Encoded":true}`, `{"statusCode":200,"body":7}`} {
		if r, err := ParseHTTPResponse([]byte(bad)); err == nil {
			t.Errorf("%s: got %+v, no error", bad, r)
		}
	}
}

func TestNewHTTPRequest(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "http://events.example.com/a%2Fb?x=1&x=2", strings.NewReader("body"))
	r.Header.Add("Ce-Id", "7")
	r.Header.Add("X-Many", "1")
	r.Header.Add("X-Many", "2")
	r.RemoteAddr = "[2001:db8::1]:4242"
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	want := &HTTPRequest{
		Method: "POST", Path: "/a%2Fb", Query: "x=1&x=2", Body: []byte("body"), SourceIP: "2001:db8::1", RequestID: "id", Time: now,
		Headers: map[string]string{"ce-id": "7", "x-many": "1,2", "host": "events.example.com"},
	}
	if diff := cmp.Diff(want, NewHTTPRequest(r, []byte("body"), "id", now)); diff != "" {
		t.Fatalf("want -, got +\n%s", diff)
	}
}

// TestEventsKeepTheLimit: an event has the longest run of messages that fits, and at
// least one; sent one after the other, every message goes once, in order.
func TestEventsKeepTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(200, 3000).Draw(t, "limit")
		messages := genMessages(t)
		for len(messages) > 0 {
			payload, n := appendSQSEvent(nil, testARN, messages, limit)
			checkLimit(t, len(payload), n, limit)
			if n < len(messages) {
				if more, _ := appendSQSEvent(nil, testARN, messages[:n+1], 1<<30); len(more) <= limit {
					t.Fatalf("%d messages would have fitted", n+1)
				}
			}
			in, err := Decode(payload)
			if err != nil || len(in.Deliveries) != n || in.Deliveries[n-1].ID != messages[n-1].ID {
				t.Fatalf("%d messages decode as %+v, %v", n, in, err)
			}
			messages = messages[n:]
		}
		records := genRecords(t)
		for len(records) > 0 {
			payload, n := appendKafkaEvent(nil, []string{"a:1"}, records, limit)
			checkLimit(t, len(payload), n, limit)
			if n < len(records) {
				if more, _ := appendKafkaEvent(nil, []string{"a:1"}, records[:n+1], 1<<30); len(more) <= limit {
					t.Fatalf("%d records would have fitted", n+1)
				}
			}
			in, err := Decode(payload)
			if err != nil || len(in.Deliveries) != n || in.Deliveries[n-1].ID != records[n-1].delivery().ID {
				t.Fatalf("%d records decode as %+v, %v", n, in, err)
			}
			records = records[n:]
		}
	})
}

func checkLimit(t *rapid.T, size, n, limit int) {
	if n == 0 || n > 1 && size > limit {
		t.Fatalf("%d items in %d bytes, the limit is %d", n, size, limit)
	}
}

func TestMaxPayloadHolds(t *testing.T) {
	big := queue.Received{ID: "a", Body: []byte(strings.Repeat("x", queue.MaxMessageBytes)), Sent: ms(1)}
	payload, n := AppendSQSEvent(nil, testARN, slices.Repeat([]queue.Received{big}, 10))
	if n != 5 || len(payload) > MaxPayload {
		t.Fatalf("%d messages of 1 MiB in %d bytes", n, len(payload))
	}
	record := kafkaRecord("t", 0, 1)
	record.Value = make([]byte, 5<<20) // alone above the limit in base64: it goes alone
	payload, n = AppendKafkaEvent(nil, nil, []KafkaRecord{record, kafkaRecord("t", 0, 2)})
	if in, err := Decode(payload); n != 1 || err != nil || len(in.Deliveries[0].Body) != 5<<20 {
		t.Fatalf("%d records in %d bytes: %v", n, len(payload), err)
	}
}

// A partition that comes back would be a name given twice in the JSON object, of which
// most readers keep one: half of the records would be acknowledged unseen.
func TestPartitionThatComesBackEndsTheEvent(t *testing.T) {
	records := []KafkaRecord{kafkaRecord("t", 0, 1), kafkaRecord("t", 1, 1), kafkaRecord("t", 0, 2)}
	payload, n := AppendKafkaEvent(nil, nil, records)
	if n != 2 {
		t.Fatalf("%d records in %s", n, payload)
	}
	checkOracle(t, payload)
	payload, n = AppendKafkaEvent(nil, nil, nil)
	if in, err := Decode(payload); n != 0 || err != nil || in.Kind != Kafka || len(in.Deliveries) != 0 {
		t.Fatalf("no records: %s, %v", payload, err)
	}
	payload, n = AppendSQSEvent(nil, testARN, nil)
	if in, err := Decode(payload); n != 0 || err != nil || in.Kind != SQS || len(in.Deliveries) != 0 {
		t.Fatalf("no messages: %s, %v", payload, err)
	}
}
