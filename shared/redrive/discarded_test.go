package redrive_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/redrive"
)

// example is the form of AWS Lambda's Developer Guide, "Capturing discarded batches for
// Amazon MSK and self-managed Apache Kafka event sources".
const example = `{
  "requestContext": {"requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81", "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:f:live",
    "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 1},
  "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
  "version": "1.0", "timestamp": "2019-11-14T00:38:06.021Z",
  "KafkaBatchInfo": {"batchSize": 500, "eventSourceArn": "arn:aws:kafka:us-east-1:123456789012:cluster/c/1", "bootstrapServers": "b-1:9098,b-2:9098",
    "payloadSize": 2039086, "recordsInfo": {
      "my-topic-1": {"firstRecordOffset": "100", "lastRecordOffset": "400", "firstRecordTimestamp": "2019-11-14T00:38:04.835Z"},
      "my-topic-0": {"firstRecordOffset": 7, "lastRecordOffset": 7}}}}`

func TestParseDiscarded(t *testing.T) {
	want := &redrive.Discarded{
		Condition: "RetryAttemptsExhausted", Attempts: 1, Error: "Unhandled", Function: "arn:aws:lambda:us-east-1:123456789012:function:f:live",
		Servers: "b-1:9098,b-2:9098", Time: time.Date(2019, 11, 14, 0, 38, 6, 21e6, time.UTC), Records: 500,
		Spans: []redrive.Span{{Topic: "my-topic", Partition: 0, First: 7, Last: 7}, {Topic: "my-topic", Partition: 1, First: 100, Last: 400}},
	}
	got, err := redrive.ParseDiscarded([]byte(example))
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
	if got, err := redrive.ParseDiscarded([]byte(strings.Replace(example, `{"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}`, "null", 1))); err != nil || got.Error != "" {
		t.Errorf("a batch that no function saw: %+v, %v", got, err)
	}
	for name, change := range map[string][2]string{
		"no JSON":               {"{", ""},
		"no batch":              {"KafkaBatchInfo", "KinesisBatchInfo"},
		"a topic alone":         {"my-topic-1", "topic"},
		"a partition alone":     {"my-topic-1", "-1"},
		"a partition of text":   {"my-topic-1", "my-topic-x"},
		"a partition too large": {"my-topic-1", "my-topic-2147483648"},
		"an offset of text":     {`"100"`, `"x"`},
		"an offset too large":   {`"400"`, `"49601189658422359378836298521827638475320189012309704722"`},
		"no offset":             {"lastRecordOffset", "last"},
		"a run backwards":       {`"400"`, `"99"`},
		"an offset below 0":     {`"100"`, `"-1"`},
	} {
		if d, err := redrive.ParseDiscarded([]byte(strings.Replace(example, change[0], change[1], 1))); err == nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// Whatever comes, what is accepted names runs of offsets that can be read.
func FuzzParseDiscarded(f *testing.F) {
	f.Add([]byte(example))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := redrive.ParseDiscarded(body)
		if err != nil {
			return
		}
		if len(d.Spans) == 0 {
			t.Error("a batch of nothing")
		}
		for _, s := range d.Spans {
			if s.Topic == "" || s.Partition < 0 || s.First < 0 || s.Offsets() < 1 {
				t.Errorf("%+v", s)
			}
		}
	})
}
