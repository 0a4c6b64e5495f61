// Package metric says what an invocation's report comes to in the metrics of package
// spec. Every adapter that records metrics (CloudWatch's log format, the embedded
// file) asks it, so that the same numbers are in both.
package metric

import (
	"time"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Reading is one metric of one invocation.
type Reading struct {
	Metric *spec.Metric // a row of spec.Metrics
	Value  float64
}

// Append appends the readings of the report to dst, in the order of spec.Metrics, and
// returns it: those that the report's stage emits and that have a value. A metric with
// one value per event is not among them (see Latencies), nor what the monitor measures. A stage that spec.Metrics does
// not name has none.
func Append(dst []Reading, r *pipeline.Report) []Reading {
	for i := range spec.Metrics {
		m := &spec.Metrics[i]
		if m.Distribution || m.Monitored || !m.EmittedBy(r.Stage) {
			continue
		}
		if v, ok := value(m.Name, r); ok {
			dst = append(dst, Reading{m, v})
		}
	}
	return dst
}

// Latencies are the values of EventLatency, nil where the stage does not emit it.
func Latencies(r *pipeline.Report) []time.Duration {
	m, _ := spec.MetricByName(spec.EventLatency)
	if !m.EmittedBy(r.Stage) {
		return nil
	}
	return r.Latency
}

// value of the metric; ok is false where the invocation has none.
func value(name string, r *pipeline.Report) (v float64, ok bool) {
	switch name {
	case spec.EventThroughput:
		return float64(finished(r)), true
	case spec.ErrorRate:
		return percent(min(failed(r), r.Events), r.Events)
	case spec.FailedEvents:
		return float64(failed(r)), true
	case spec.DeliverySuccess:
		n := finished(r)
		return percent(max(n-r.Dead, 0), n)
	case spec.BatchSize:
		return float64(r.Events), true
	case spec.PackRatio:
		if r.BytesOut == 0 {
			return 0, false
		}
		return float64(r.BytesRaw) / float64(r.BytesOut), true
	case spec.DLQSent:
		return float64(r.Dead), true
	case spec.Retries:
		return float64(r.Retried + r.Redelivery), true
	case spec.BreakerState:
		return breaker(r.Breaker)
	case spec.EventsStored:
		return float64(r.Stored), true
	case spec.EventsDropped:
		return float64(r.Dropped), true
	case spec.DuplicateEvents:
		return float64(r.Duplicates), true
	case spec.UnstartedEvents:
		return float64(r.Unstarted), true
	}
	return health(name, r)
}

// health is the value of a metric that was made for an alarm.
func health(name string, r *pipeline.Report) (v float64, ok bool) {
	switch name {
	case spec.UnavailableEvents:
		return float64(unavailable(r)), true
	case spec.PublishFailures:
		return float64(r.Reasons[fault.PublishFailed]), true
	case spec.SlowEvents:
		return float64(slow(r.Latency)), true
	case spec.StoreLatency:
		return float64(r.Dependency.Longest) / float64(time.Millisecond), r.Dependency.Longest > 0
	case spec.PoolExhausted:
		return float64(r.Dependency.Waits), true
	case spec.RedrivenLetters:
		return float64(r.Forwarded), true
	case spec.QuarantinedLetters:
		return float64(r.Dead), true
	}
	return 0, false
}

// finished is how many events will not come to this stage again.
func finished(r *pipeline.Report) int {
	return max(r.Events-r.Retried-r.Redelivery-r.Unstarted, 0)
}

// outages are the reasons that say that a dependency did not answer. A handler that fails
// is none, even though it may pass: it is the user's code, and counts as an error.
var outages = [...]fault.Reason{fault.StoreUnreachable, fault.StoreUnavailable, fault.PublishFailed, fault.ClaimUnavailable, fault.BreakerOpen}

func unavailable(r *pipeline.Report) int {
	n := 0
	for _, reason := range outages {
		n += r.Reasons[reason]
	}
	return min(n, r.Events)
}

func slow(latencies []time.Duration) int {
	n := 0
	for _, d := range latencies {
		if d > spec.LatencyTarget {
			n++
		}
	}
	return n
}

// failed is how many attempts failed. An event that was held back was not attempted.
func failed(r *pipeline.Report) int {
	n := 0
	for reason, count := range r.Reasons {
		if reason.Info().Kind != fault.Unstarted {
			n += count
		}
	}
	return n
}

func percent(part, whole int) (float64, bool) {
	if whole == 0 {
		return 0, false
	}
	return 100 * float64(part) / float64(whole), true
}

func breaker(s pipeline.BreakerState) (float64, bool) {
	switch s {
	case pipeline.BreakerClosed:
		return spec.BreakerClosed, true
	case pipeline.BreakerOpen:
		return spec.BreakerOpen, true
	case pipeline.BreakerHalfOpen:
		return spec.BreakerHalfOpen, true
	}
	return 0, false
}
