package lambdaio

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

func payloadFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "payloads", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ms(n int64) time.Time { return time.UnixMilli(n) }

// The payloads have the shapes of the AWS documentation (see doc.go), each with the
// particulars that Millrace depends on.
func TestDecodeDocumentedPayloads(t *testing.T) {
	tests := map[string]*Invocation{
		"kafka-msk.json": {
			Kind:      Kafka,
			SourceARN: "arn:aws:kafka:us-east-1:123456789012:cluster/vpc-2priv-2pub/751d2973-a626-431c-9d4e-d7975eb44dd7-2",
			Deliveries: []pipeline.Delivery{
				{
					ID: "orders-eu-0@15", Body: []byte("Hello, this is a test."), Arrived: ms(1545084650987),
					Kafka: &pipeline.KafkaRecord{Topic: "orders-eu", Offset: 15, Key: []byte("customer-17"), Headers: []event.Header{
						{Name: "ce_type", Value: []byte("headerValue")},
						{Name: "trace", Value: []byte{118, 220, 0, 127, 128}}, // signed
						{Name: "trace", Value: []byte{200, 255}},              // unsigned, the same name again
						{Name: "empty", Value: []byte{}},
					}},
				},
				{ // a tombstone
					ID: "orders-eu-0@16", Arrived: ms(1545084650988),
					Kafka: &pipeline.KafkaRecord{Topic: "orders-eu", Offset: 16, Key: []byte("customer-17")},
				},
				{ // no key, an empty value
					ID: "orders-eu-1@3", Body: []byte{}, Arrived: ms(1545084650989),
					Kafka: &pipeline.KafkaRecord{Topic: "orders-eu", Partition: 1, Offset: 3},
				},
			},
		},
		"kafka-self-managed.json": {
			Kind: Kafka,
			Deliveries: []pipeline.Delivery{{
				ID: "events-0@0", Arrived: ms(1595035749700),
				Body: []byte(`{"specversion":"1.0","id":"1","source":"/a","type":"a.b"}`),
				Kafka: &pipeline.KafkaRecord{
					Topic: "events", Key: []byte("8d5596b4-1813-4238-b24b-6dad8e3d1c0c"),
					Headers: []event.Header{{Name: "content-type", Value: []byte("application/json")}},
				},
			}},
		},
		"sqs.json": {
			Kind:      SQS,
			SourceARN: "arn:aws:sqs:us-east-2:123456789012:my-queue",
			Deliveries: []pipeline.Delivery{
				{
					ID: "059f36b4-87a3-44ab-83d2-661975830a7d", Body: []byte(`{"specversion":"1.0","id":"1","source":"/café","type":"a.b"}`),
					Attrs:   pipeline.Attrs{ContentType: event.ContentTypeJSON, Attempt: 3},
					Foreign: map[string]string{"tenant": "north", "weight": "sqs-type=Number;123", "thumb": "sqs-type=Binary;MTEwMA=="},
					Arrived: ms(1545082649183), FirstReceived: ms(1545082649185), Receive: 2,
				},
				{
					ID: "2e1424d4-f796-459a-8184-9c92662be6da", Body: []byte("KLUv/QQAiQAA"),
					Arrived: ms(1545082650636), FirstReceived: ms(1545082650649), Receive: 1,
				},
			},
		},
		"sqs-from-sns.json": {
			Kind:      SQS,
			SourceARN: "arn:aws:sqs:us-east-2:123456789012:my-queue",
			Deliveries: []pipeline.Delivery{{
				ID: "9d1f3a52-05b1-4b0e-8f1c-0c7a6a9d3b10", Body: []byte(`{"specversion":"1.0","id":"7"}`),
				Attrs:   pipeline.Attrs{Count: 1},
				Foreign: map[string]string{"tenant": "north", "tags": `sqs-type=String.Array;["a"]`},
				Arrived: ms(1545082649183), FirstReceived: ms(1545082649185), Receive: 1,
			}},
		},
		"http.json": {
			Kind: HTTP,
			HTTP: &HTTPRequest{
				Method: "POST", Path: "/events", Query: "parameter1=value1&parameter1=value2&parameter2=value",
				Headers: map[string]string{"content-type": "application/json", "ce-id": "7", "header2": "value1,value2"},
				Body:    []byte(`{"hello":"wörld"}`), SourceIP: "123.123.123.123",
				RequestID: "fe6a2a0c-1d3e-4a7b-9a55-5f1c9a3f7b21", Time: ms(1583348638390),
			},
		},
		"http-base64.json": {
			Kind: HTTP,
			HTTP: &HTTPRequest{
				Method: "POST", Path: "/events", Headers: map[string]string{"content-type": "application/cloudevents+json"},
				Body: []byte("{\"specversion\":\"1.0\"}\xff"), SourceIP: "2001:db8::1", RequestID: "id", Time: ms(1583348638390),
			},
		},
		"schedule-rule.json": {
			Kind: Schedule,
			Schedule: &ScheduledEvent{
				ID: "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", Time: time.Date(2015, 10, 8, 16, 53, 6, 0, time.UTC),
				Resources: []string{"arn:aws:events:us-east-1:123456789012:rule/my-scheduled-rule"},
			},
		},
		"schedule-scheduler.json": {
			Kind: Schedule,
			Schedule: &ScheduledEvent{
				ID: "7fb3c1a0-8b4e-4f0a-9c1d-2b6a5d1e7f90", Time: time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC),
				Resources: []string{"arn:aws:scheduler:eu-west-1:123456789012:schedule/default/redrive"},
			},
		},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			payload := payloadFile(t, name)
			got, err := Decode(payload)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("want -, got +\n%s", diff)
			}
			checkOracle(t, payload)
		})
	}
	files, _ := filepath.Glob(filepath.Join("testdata", "payloads", "*.json"))
	if len(files) != len(tests) {
		t.Errorf("%d payloads, %d tests", len(files), len(tests))
	}
}

func TestDecodeDirect(t *testing.T) {
	// Members of other events, with other types, do not make it one of them.
	payload := []byte(`{"stage":"persist","source":5,"version":{},"body":[1],"headers":7}`)
	in, err := Decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	if in.Kind != Direct || string(in.Direct) != string(payload) {
		t.Fatalf("got %+v", in)
	}
}

func TestDecodeSaysWhatWasExpected(t *testing.T) {
	tests := []struct {
		payload, says string
		reason        fault.Reason
	}{
		{`{"Records":[{"eventSource":"aws:s3","s3":{}}]}`, `"aws:s3"`, fault.UnsupportedContent},
		{`{"Records":[{"EventSource":"aws:sns","Sns":{}}]}`, `"aws:sns"`, fault.UnsupportedContent},
		{`{"Records":[{"messageId":"1"}]}`, `event source ""`, fault.UnsupportedContent},
		{`{"eventSource":"aws:rmq","records":{}}`, `"aws:rmq"`, fault.UnsupportedContent},
		{`{"version":"1.0","requestContext":{}}`, `"1.0"`, fault.UnsupportedContent},
		{`{"requestContext":{"elb":{}}}`, `format ""`, fault.UnsupportedContent},
		{`{"detail-type":"EC2 Instance State-change Notification","source":"aws.ec2"}`, `"aws.ec2"`, fault.UnsupportedContent},
		{``, "expected a JSON object, found the end", fault.NotJSON},
		{`[1]`, `byte 0: expected a JSON object, found "["`, fault.NotJSON},
		{`{"a":1} 2`, `byte 8: expected the end, found "2"`, fault.NotJSON},
		{`{"records":{"t-0":[{"topic":"t","partition":0}]}}`, "expected a record with topic, partition and offset", fault.NotJSON},
		{`{"records":{"t-0":[{"topic":"t","partition":3000000000}]}}`, "expected an integer between 0 and 2147483647", fault.NotJSON},
		{`{"records":{"t-0":[{"value":"a?=="}]}}`, `byte 28: expected a string of base64, found "\""`, fault.NotJSON},
		{`{"Records":[{"eventSource":"aws:sqs"}]}`, "expected a record with messageId", fault.NotJSON},
		{`{"version":"2.0","requestContext":{},"body":"??","isBase64Encoded":true}`, "base64", fault.NotJSON},
		{`{"a":` + strings.Repeat("[", 100_000) + `}`, "expected no deeper nesting", fault.NotJSON},
	}
	for _, tt := range tests {
		in, err := Decode([]byte(tt.payload))
		if in != nil || err == nil {
			t.Errorf("%.80s: got %v, no error", tt.payload, in)
			continue
		}
		var f *fault.Error
		if !errors.As(err, &f) || f.Reason != tt.reason || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%.80s: got %v, want %s with %q", tt.payload, err, tt.reason, tt.says)
		}
		if tt.reason == fault.UnsupportedContent && !strings.Contains(err.Error(), expected) {
			t.Errorf("%.80s: %v does not say what was expected", tt.payload, err)
		}
	}
}

// A body that looks like the envelope of SNS stays as it is unless it is one.
func TestUnwrapSNSLeavesOthers(t *testing.T) {
	const envelope = `{"Type":"Notification","TopicArn":"arn:aws:sns:us-west-2:123456789012:T","Message":"m"}`
	if m, _, ok := unwrapSNS([]byte(envelope), nil); !ok || string(m) != "m" {
		t.Fatalf("the envelope itself: %q %v", m, ok)
	}
	for name, body := range map[string]string{
		"CloudEvent":   `{"specversion":"1.0",` + envelope[1:],
		"no topic":     `{"Type":"Notification","Message":"m"}`,
		"no message":   `{"Type":"Notification","TopicArn":"a"}`,
		"other type":   `{"Type":"SubscriptionConfirmation","TopicArn":"a","Message":"\"Notification\""}`,
		"cut short":    envelope[:len(envelope)-1],
		"text":         `"Notification"`,
		"more behind":  envelope + "{}",
		"inside array": "[" + envelope + "]",
	} {
		if m, _, ok := unwrapSNS([]byte(body), nil); ok {
			t.Errorf("%s: unwrapped to %q", name, m)
		}
	}
	if _, _, ok := unwrapSNS([]byte(envelope), map[string]string{"encoding": "zstd+base64"}); ok {
		t.Error("unwrapped a message with attributes of its own: raw delivery made it")
	}
}

func TestBatch(t *testing.T) {
	in, err := Decode(payloadFile(t, "sqs.json"))
	if err != nil {
		t.Fatal(err)
	}
	b := in.Batch(WithRequestID(context.Background(), "request-1"))
	if b.RequestID != "request-1" || b.Source != "sqs" || len(b.Deliveries) != 2 {
		t.Fatalf("got %+v", b)
	}
	if id := in.Batch(context.Background()).RequestID; id != "" {
		t.Fatalf("request id %q outside an invocation", id)
	}
}

// Deliveries are used side by side: what one holds must not be within reach of another.
func TestDecodedBytesDoNotOverlap(t *testing.T) {
	records := []KafkaRecord{kafkaRecord("t", 0, 1), kafkaRecord("t", 0, 2)}
	payload, _ := AppendKafkaEvent(nil, nil, records)
	in, err := Decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	for i := range in.Deliveries {
		d := &in.Deliveries[i]
		_ = append(d.Body, "overwritten"...)
		_ = append(d.Kafka.Key, "overwritten"...)
		_ = append(d.Kafka.Headers, event.Header{Name: "overwritten"})
		for _, h := range d.Kafka.Headers {
			_ = append(h.Value, "overwritten"...)
		}
	}
	clear(payload) // Lambda's buffer is used again
	again, _ := AppendKafkaEvent(nil, nil, records)
	want, _ := Decode(again)
	if diff := cmp.Diff(want, in); diff != "" {
		t.Fatalf("want -, got +\n%s", diff)
	}
}
