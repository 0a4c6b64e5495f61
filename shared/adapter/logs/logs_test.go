package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// written is the one line of a report, and that line read back.
func written(t testing.TB, r pipeline.Report) (string, map[string]any) {
	t.Helper()
	var out bytes.Buffer
	Invocation(t.Context(), New(&out, slog.LevelDebug, "test"), &r)
	if n := strings.Count(out.String(), "\n"); n != 1 || !utf8.Valid(out.Bytes()) {
		t.Fatalf("%d lines:\n%s", n, out.String())
	}
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	return out.String(), line
}

func TestTheLineSaysEverything(t *testing.T) {
	r := pipeline.Report{
		Stage: "persist", RequestID: "r-1", TraceParent: trace, Source: "sqs", Duration: 125250 * time.Microsecond,
		Deliveries: 10, Failed: 1, Events: 200, Stored: 180, Duplicates: 3, Retried: 6, Redelivery: 4, Dead: 1,
		BytesIn: 61440, Breaker: pipeline.BreakerClosed,
		Latency: []time.Duration{3 * time.Millisecond, time.Millisecond, 2 * time.Millisecond},
		Reasons: map[fault.Reason]int{fault.StoreUnavailable: 10},
		Failures: []pipeline.Failure{
			{Key: event.Key{Source: "/flights", ID: "AA-1"}, Delivery: "m-7", TraceParent: trace, Attempt: 5, Dead: true,
				Err: fault.Wrap(errors.New("connection refused"), fault.StoreUnavailable, "store write")},
			{Delivery: "m-8", Attempt: 1, Err: fault.New(fault.NotJSON, "offset 17")},
		},
	}
	_, line := written(t, r)
	for name, want := range map[string]string{
		"level": "ERROR", "msg": "invocation", "service": "millrace", "env": "test", "stage": "persist", "request_id": "r-1",
		"traceparent": trace, "source": "sqs", "duration_ms": "125.25", "deliveries": "10", "failed_deliveries": "1",
		"events": "200", "stored": "180", "duplicates": "3", "retried": "6", "redelivered": "4", "dead": "1", "bytes_in": "61440",
		"breaker": "closed", "latency_p50_ms": "2.008", "latency_p99_ms": "2.992", "latency_max_ms": "3", "reasons": "map[store_unavailable:10]",
		"failures": "[map[attempt:5 dead:true delivery:m-7 error:store write: store_unavailable: connection refused id:AA-1 reason:store_unavailable source:/flights traceparent:" + trace +
			"] map[attempt:1 delivery:m-8 error:offset 17 reason:not_json]]",
	} {
		if got := fmt.Sprint(line[name]); got != want {
			t.Errorf("%s is %s\nwant %s", name, got, want)
		}
	}
	if _, there := line["dropped"]; there {
		t.Error("a count of zero is written")
	}
}

func TestLevelByOutcome(t *testing.T) {
	for _, c := range []struct {
		r    pipeline.Report
		want slog.Level
	}{
		{pipeline.Report{Events: 5, Stored: 5}, slog.LevelInfo},
		{pipeline.Report{Events: 5, Dropped: 5}, slog.LevelInfo},
		{pipeline.Report{Retried: 1}, slog.LevelWarn},
		{pipeline.Report{Redelivery: 1, Failed: 1}, slog.LevelWarn},
		{pipeline.Report{Unstarted: 1}, slog.LevelWarn},
		{pipeline.Report{Reasons: map[fault.Reason]int{fault.PublishFailed: 1}}, slog.LevelWarn},
		{pipeline.Report{Dead: 1, Retried: 1}, slog.LevelError},
		{pipeline.Report{Failed: 1, Reasons: map[fault.Reason]int{fault.Bug: 1}}, slog.LevelError},
	} {
		if got := Level(&c.r); got != c.want {
			t.Errorf("%+v: %v, want %v", c.r, got, c.want)
		}
	}
	var out bytes.Buffer
	l := New(&out, slog.LevelWarn, "test")
	Invocation(t.Context(), l, &pipeline.Report{Events: 1, Stored: 1})
	if out.Len() > 0 {
		t.Errorf("below the level, yet written: %s", out.String())
	}
}

// A payload can reach a report only in the text of an error. Whatever the reason, and
// however deep it is wrapped, text that may quote the event is not in the line; that of
// the machinery is.
func TestNoPayloadInTheLine(t *testing.T) {
	const payload = "Jane Roe, born 1970-01-01"
	for _, reason := range fault.Reasons() {
		handlers := strings.HasPrefix(string(reason), "handler_") || reason == fault.Unknown
		bare := &fault.Error{Reason: reason, Op: "handle org.hl7.patient", Err: errors.New(payload)}
		if handlers {
			bare.Detail = payload // written by users, who need not keep the contract
		}
		for _, err := range []error{bare, fmt.Errorf("stage: %w", bare), fault.Wrap(bare, fault.Unknown, "process")} {
			text, line := written(t, pipeline.Report{Failures: []pipeline.Failure{{Key: event.Key{Source: "/s", ID: "42"}, Err: err}}})
			if has := strings.Contains(text, payload); has != whole[reason] {
				t.Errorf("%s: payload in the line: %v\n%s", reason, has, text)
			}
			f := line["failures"].([]any)[0].(map[string]any)
			if f["id"] != "42" || f["reason"] != string(reason) || !strings.Contains(fmt.Sprint(f["error"]), "handle org.hl7.patient") {
				t.Errorf("%s: the line does not say what failed: %v", reason, f)
			}
		}
	}
	text, _ := written(t, pipeline.Report{Failures: []pipeline.Failure{{Err: errors.New(payload)}}})
	if strings.Contains(text, payload) {
		t.Errorf("the text of an unclassified error is in the line: %s", text)
	}
}

// The machinery's reasons are few and named one by one: a new reason is withheld until
// somebody has made sure that its errors never see an event's data.
func TestWholeTextIsTheException(t *testing.T) {
	for reason := range whole {
		i := slices.Index([]fault.Reason{fault.SchemaViolation, fault.StoreRejected, fault.HandlerPanic, fault.BadPack, fault.Unknown}, reason)
		if i >= 0 || users[reason] || !reason.Known() {
			t.Errorf("the whole text of %s is written", reason)
		}
	}
}

// Events that the parser refuses: what it says about them must not quote their data.
func TestNoPayloadOfRefusedEvents(t *testing.T) {
	const secret = "4711-SECRET"
	rapid.Check(t, func(rt *rapid.T) {
		whole := []byte(`{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-01-01T00:00:00Z","data":{"ssn":"` + secret + `","n":[1,2,{"a":null}]}}`)
		b := slices.Clone(whole)
		from := strings.Index(string(whole), secret)
		for range rapid.IntRange(1, 3).Draw(rt, "changes") {
			i := rapid.IntRange(0, len(b)-1).Draw(rt, "at")
			if i < from || i >= from+len(secret) {
				b[i] = rapid.Byte().Draw(rt, "byte")
			}
		}
		_, err := event.Parse(b)
		if err == nil {
			return
		}
		text, _ := written(t, pipeline.Report{Dead: 1, Failures: []pipeline.Failure{{Delivery: "d", Dead: true, Err: err}}})
		if strings.Contains(text, secret) {
			rt.Fatalf("%q is refused, and its data is in the log:\n%s", b, text)
		}
	})
}

func TestLineStaysShort(t *testing.T) {
	long := strings.Repeat("é", 1<<16)
	r := pipeline.Report{RequestID: long, TraceParent: long}
	for range pipeline.MaxFailures {
		r.Failures = append(r.Failures, pipeline.Failure{Key: event.Key{Source: long, ID: long}, Delivery: long, TraceParent: long,
			Err: fault.Wrap(errors.New(long), fault.PublishFailed, "publish")})
	}
	if text, _ := written(t, r); len(text) > 1<<16 {
		t.Errorf("%d bytes", len(text))
	}
}

func BenchmarkInvocation(b *testing.B) {
	l := New(io.Discard, slog.LevelInfo, "test")
	r := pipeline.Report{Stage: "persist", RequestID: "r-1", TraceParent: trace, Source: "sqs", Deliveries: 10, Events: 3000, Stored: 3000, Latency: make([]time.Duration, 3000)}
	for i := range r.Latency {
		r.Latency[i] = 120*time.Millisecond + time.Duration(i/300)*time.Millisecond
	}
	b.ReportAllocs()
	for b.Loop() {
		Invocation(b.Context(), l, &r)
	}
}
