package lambdaio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// seed adds the documented payloads whose name begins with prefix, and some that differ
// from them where a scanner goes wrong.
func seed(f *testing.F, prefix string, more ...string) {
	files, err := filepath.Glob(filepath.Join("testdata", "payloads", prefix+"*.json"))
	if err != nil || len(files) == 0 {
		f.Fatal("no payloads", prefix, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range more {
		f.Add([]byte(s))
	}
}

func FuzzDecodeKafka(f *testing.F) {
	seed(f, "kafka",
		`{"eventSource":"SelfManagedKafka","records":{}}`,
		`{"records":{"t-0":[{"topic":"t","partition":0,"offset":9223372036854775807,"timestamp":-1,"value":null}]},"eventSource":"aws:kafka"}`,
		`{"eventSource":"aws:kafka","records":{"t-0":[{"topic":"t","partition":0,"offset":1,"value":"aGk\u003d","key":"\/\/\/\/"}]}}`,
		`{"eventSource":"aws:kafka","records":{"t-0":[{"topic":"t","partition":0,"offset":1,"value":"aGk=\n"}]}}`,
		`{"eventSource":"aws:kafka","records":{"t-0":[{"topic":"t","partition":0,"offset":1,"value":"aGk=\n\r\n\r"}]}}`,
		`{"eventSource":"aws:kafka","records":{"t-0":[{"topic":"t","partition":0,"offset":01}]}}`,
		`{"eventSource":"aws:kafka","records":{"t-0":[{"topic":"t","partition":0,"offset":1.0}]}}`,
		`{"eventSource":"aws:kafka","records":{"t-0":[{"topic":"t","partition":0,"offset":1,"headers":[{"a":[-128, 255,0]},{"a":null},{"b":[]}]}]}}`,
		`{"eventSource":"aws:kafka","records":{"t-0":[{"topic":"t","partition":0,"offset":1,"headers":[{"a":[256]}]}]}}`,
		`{"eventSource":"aws:kafka","records":{"t-0":[{"topic":"t","partition":0}]}}`,
	)
	f.Fuzz(checkOracle)
}

func FuzzDecodeSQS(f *testing.F) {
	seed(f, "sqs",
		`{"Records":[]}`,
		`{"Records":[{"messageId":"a","eventSource":"aws:sqs","body":"\ud83d\ude00 \ud800 \udc00\ud800 \u00e9\"\\\/\b\f\n\r\t"}]}`,
		"{\"Records\":[{\"messageId\":\"a\",\"eventSource\":\"aws:sqs\",\"body\":\"\xff\u2028\"}]}",
		"{\"Records\":[{\"messageId\":\"a\",\"eventSource\":\"aws:sqs\",\"body\":\"a\nb\"}]}",
		`{"Records":[{"messageId":"a","eventSource":"aws:sqs","attributes":{"ApproximateReceiveCount":"x","SentTimestamp":"-5"}}]}`,
		`{"Records":[{"messageId":"a","eventSource":"aws:sqs","messageAttributes":{"n":{"dataType":"Number.int","stringValue":"3"},"b":{"dataType":"Binary","stringValue":null,"binaryValue":"AA=="},"count":{"dataType":"String","stringValue":"7"}}}]}`,
		`{"Records":[{"messageId":"","eventSource":"aws:sqs"}]}`,
		`{"Records":[{"eventSource":"aws:s3","s3":{}}]}`,
	)
	f.Fuzz(checkOracle)
}

func FuzzDecodeHTTP(f *testing.F) {
	seed(f, "http",
		`{"version":"2.0","requestContext":{"http":{"method":"GET"}},"body":"aGk=","isBase64Encoded":true}`,
		`{"version":"2.0","requestContext":null,"headers":{"A":"1","b":null},"body":null,"isBase64Encoded":true}`,
		`{"version":"1.0","requestContext":{}}`,
		`{"detail-type":"Scheduled Event","source":"aws.events","time":"2026-11-24T00:00:00Z","resources":["r"]}`,
		`{"detail-type":"Scheduled Event","source":"aws.events","time":"yesterday"}`,
		`{"stage":"persist","dryRun":true}`, `{}`, `[]`, `null`, `{} x`, "\ufeff{}", `{"a":[1,2,{"b":-0.5e+3,"c":[true,false,null]}]}`, `{"a":tru}`, `{"a":01}`, `{"a":1.}`,
	)
	seed(f, "schedule")
	f.Fuzz(checkOracle)
}

// FuzzFailures: no answer of a handler panics, and one that is not understood never
// acknowledges anything.
func FuzzFailures(f *testing.F) {
	for _, s := range []string{``, `null`, `{}`, `{"batchItemFailures":null}`, `{"batchItemFailures":[{"itemIdentifier":"a"}]}`,
		`{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0","offset":1}}]}`, `{"batchItemFailures":[{}]}`, `[]`, `"ok"`} {
		f.Add([]byte(s))
	}
	messages := []queue.Received{{ID: "a"}, {ID: "b"}}
	records := []KafkaRecord{kafkaRecord("t", 0, 0), kafkaRecord("t", 0, 1), kafkaRecord("t", 1, 0)}
	f.Fuzz(func(t *testing.T, answer []byte) {
		failed, err := FailedMessages(answer, messages)
		valid := len(bytes.Trim(answer, " \t\r\n")) == 0 || json.Valid(answer)
		if !valid && err == nil {
			t.Fatalf("invalid JSON taken for an answer: %q", answer)
		}
		if err != nil && (!failed[0] || !failed[1]) {
			t.Fatalf("%v, but %v", err, failed)
		}
		failed, err = FailedRecords(answer, records)
		if err != nil && (!failed[0] || !failed[1] || !failed[2]) {
			t.Fatalf("%v, but %v", err, failed)
		}
		if failed[0] && !failed[1] {
			t.Fatalf("offset 1 counts as done after offset 0 failed: %q", answer)
		}
	})
}

// FuzzBase64 holds the vector code to encoding/base64.
func FuzzBase64(f *testing.F) {
	for n := range 140 {
		f.Add(bytes.Repeat([]byte{0xfb, 0x00, 'x'}, n)[:n*2])
	}
	f.Add([]byte(`aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQ_`))
	f.Add([]byte("aGVs\n\n\n\nbG8g"))
	f.Add([]byte("aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29y\nbGQ="))
	f.Fuzz(func(t *testing.T, b []byte) {
		encoded := encodeBase64([]byte("before"), b)
		if want := "before" + base64.StdEncoding.EncodeToString(b); string(encoded) != want {
			t.Fatalf("encoded %q, want %q", encoded, want)
		}
		decoded, ok := appendBase64(nil, encoded[len("before"):])
		if !ok || !bytes.Equal(decoded, b) {
			t.Fatalf("decoded %q, want %q", decoded, b)
		}
		// As input to the decoder: room for exactly what it may write, then a guard.
		buf := append(make([]byte, len(b)/4*3), "guard"...)
		room := buf[: 0 : len(buf)-len("guard")]
		got, ok := appendBase64(room, b)
		want, err := base64.StdEncoding.DecodeString(string(b))
		wantOK := err == nil && !bytes.ContainsAny(b, "\r\n")
		if ok != wantOK || ok && !bytes.Equal(got, want) {
			t.Fatalf("decoded %q %v, want %q %v", got, ok, want, err)
		}
		if !bytes.HasSuffix(buf, []byte("guard")) {
			t.Fatal("wrote beyond its room")
		}
	})
}
