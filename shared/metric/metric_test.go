package metric

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func readings(r pipeline.Report) map[string]float64 {
	m := map[string]float64{}
	for _, x := range Append(nil, &r) {
		m[x.Metric.Name] = x.Value
	}
	return m
}

func TestReadings(t *testing.T) {
	got := readings(pipeline.Report{
		Stage: spec.Persist, Events: 200, Stored: 180, Duplicates: 30, Dropped: 7, Retried: 6, Redelivery: 4, Unstarted: 8, Dead: 2,
		Breaker: pipeline.BreakerHalfOpen, Dependency: pipeline.Usage{Longest: 1500 * time.Millisecond, Waits: 4},
		Latency: []time.Duration{0, time.Second, time.Second + 1, time.Hour}, // the target itself is not slow
		Reasons: map[fault.Reason]int{fault.StoreUnavailable: 10, fault.StoreRejected: 2, fault.DeadlineNear: 5, fault.BreakerOpen: 3},
	})
	want := map[string]float64{
		"EventThroughput": 182, "ErrorRate": 6, "FailedEvents": 12, "DeliverySuccess": 100 * 180. / 182, "BatchSize": 200,
		"DLQSent": 2, "Retries": 10, "BreakerState": 2, "EventsStored": 180, "DuplicateEvents": 30, "UnstartedEvents": 8,
		"UnavailableEvents": 13, "SlowEvents": 2, "StoreLatency": 1500, "PoolExhausted": 4,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Every metric of the table is measured: a row without code would be an alarm without data.
func TestEveryMetricHasAValue(t *testing.T) {
	for _, m := range spec.Metrics {
		if m.Monitored {
			continue
		}
		for _, stage := range m.Stages {
			r := pipeline.Report{
				Stage: stage, Events: 1, Packs: 1, BytesRaw: 3, BytesOut: 2, Breaker: pipeline.BreakerClosed,
				Latency: []time.Duration{time.Second}, Dependency: pipeline.Usage{Longest: 1},
			}
			_, ok := readings(r)[m.Name]
			if m.Distribution {
				ok = len(Latencies(&r)) == 1
			}
			if !ok {
				t.Errorf("%s of %s has no value", m.Name, stage)
			}
		}
	}
}

func TestCountsAreThereWithoutEventsAndRatesAreNot(t *testing.T) {
	got := readings(pipeline.Report{Stage: spec.Ingest})
	want := map[string]float64{"EventThroughput": 0, "FailedEvents": 0, "BatchSize": 0, "DLQSent": 0, "Retries": 0, "UnstartedEvents": 0,
		"UnavailableEvents": 0, "PublishFailures": 0}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestMetricsOfOtherStagesAreLeftOut(t *testing.T) {
	r := pipeline.Report{Stage: spec.Ingest, Events: 3, Stored: 3, Latency: []time.Duration{1}, Breaker: pipeline.BreakerOpen}
	for name := range readings(r) {
		if m, _ := spec.MetricByName(name); !m.EmittedBy(spec.Ingest) {
			t.Errorf("ingest emits %s: a further metric to pay for", name)
		}
	}
	if Latencies(&r) != nil {
		t.Error("ingest emits EventLatency")
	}
	if n := len(readings(pipeline.Report{Stage: "elsewhere", Events: 1})); n > 0 {
		t.Errorf("a stage that the table does not name has %d metrics", n)
	}
}

func TestRatesStayBetween0And100(t *testing.T) {
	// A dead letter whose sending failed is noted twice: once for the event, once for the message.
	r := pipeline.Report{Stage: spec.Ingest, Events: 1, Dead: 3, Reasons: map[fault.Reason]int{fault.NotJSON: 1, fault.PublishFailed: 1}}
	for _, name := range []string{spec.ErrorRate, spec.DeliverySuccess} {
		if v := readings(r)[name]; v < 0 || v > 100 || math.IsNaN(v) {
			t.Errorf("%s is %v", name, v)
		}
	}
}
