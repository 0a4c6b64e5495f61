package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/metrics"
	"github.com/millrace-pipeline/millrace/shared/alarm"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// recorded is a data directory with metrics, and a clock for them.
type recorded struct {
	dir string
	now time.Time
	*metrics.Recorder
	reader *metrics.Reader
}

func newRecorded(t *testing.T) *recorded {
	t.Helper()
	r := &recorded{dir: t.TempDir(), now: time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)}
	var err error
	if r.Recorder, err = metrics.Open(t.Context(), filepath.Join(r.dir, metricsFile), metrics.Options{Now: func() time.Time { return r.now }}); err != nil {
		t.Fatal(err)
	}
	if r.reader, err = OpenMetrics(t.Context(), r.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(r.reader.Close(), r.Close()) })
	return r
}

func (r *recorded) flush(t *testing.T) {
	t.Helper()
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAlarmSourceReadsEveryStatistic(t *testing.T) {
	r := newRecorded(t)
	for i := range 4 {
		r.Record(&pipeline.Report{Stage: spec.Persist, Events: 10 * (i + 1), Stored: 10 * (i + 1), Latency: []time.Duration{time.Duration(i) * time.Second}})
		r.now = r.now.Add(20 * time.Second)
	}
	if err := r.Add("AWS/SQS ApproximateAgeOfOldestMessage", "persist-dlq", 77); err != nil {
		t.Fatal(err)
	}
	r.flush(t)
	src := AlarmSource(r.reader)
	end := r.now.Truncate(time.Minute).Add(time.Minute)
	for _, c := range []struct {
		s    spec.Series
		want []alarm.Value // of the minute before, of the first and of the second
	}{
		{spec.Series{Metric: spec.BatchSize, Stat: spec.Sum}, []alarm.Value{{}, {V: 60, OK: true}, {V: 40, OK: true}}},
		{spec.Series{Metric: spec.BatchSize, Stat: spec.Average}, []alarm.Value{{}, {V: 20, OK: true}, {V: 40, OK: true}}},
		{spec.Series{Metric: spec.BatchSize, Stat: spec.Minimum}, []alarm.Value{{}, {V: 10, OK: true}, {V: 40, OK: true}}},
		{spec.Series{Metric: spec.BatchSize, Stat: spec.Maximum}, []alarm.Value{{}, {V: 30, OK: true}, {V: 40, OK: true}}},
		{spec.Series{Metric: spec.EventLatency, Stat: spec.Samples}, []alarm.Value{{}, {V: 3, OK: true}, {V: 1, OK: true}}},
		{spec.Series{Metric: spec.EventLatency, Stat: spec.P99}, []alarm.Value{{}, {V: 2000, OK: true}, {V: 3000, OK: true}}},
		{spec.Series{Namespace: spec.AWSSQS, Metric: "ApproximateAgeOfOldestMessage", Stat: spec.Maximum, Of: spec.OfDLQ}, []alarm.Value{{}, {}, {V: 77, OK: true}}},
	} {
		got, err := src.Query(t.Context(), c.s.In(spec.Persist), end, time.Minute, 3)
		if err != nil || len(got) != 3 {
			t.Fatalf("%s: %v %v", c.s.In(spec.Persist), got, err)
		}
		for i := range got {
			if off := got[i].V - c.want[i].V; got[i].OK != c.want[i].OK || off > 20 || off < -20 {
				t.Errorf("%s: %v, want %v", c.s.In(spec.Persist), got, c.want)
			}
		}
	}
	// Periods that are no multiples since 1970 slide with the end.
	odd, err := src.Query(t.Context(), spec.Series{Metric: spec.BatchSize, Stat: spec.Sum}.In(spec.Persist), end, 7*time.Minute, 2)
	if err != nil || odd[1].V != 100 || odd[0].OK {
		t.Errorf("got %v, %v", odd, err)
	}
	for _, x := range []spec.Series{
		{Namespace: spec.AWSLambda, Metric: "Throttles", Stat: spec.Sum, Of: spec.OfFunction},
		{Namespace: spec.AWSSQS, Metric: "ApproximateNumberOfMessagesVisible", Stat: spec.Sum, Of: spec.OfKafkaFailed},
	} {
		if _, err := src.Query(t.Context(), x.In(spec.Ingest), end, time.Minute, 1); !errors.Is(err, alarm.ErrNotMeasured) {
			t.Errorf("%s: %v", x.In(spec.Ingest), err)
		}
	}
}

// An outage of the store, recorded as the pipeline records it, fires the alarms that name
// it; they are remembered by the next process, and clear when it is over.
func TestAlarmsOverRecordedMetrics(t *testing.T) {
	r := newRecorded(t)
	first := r.now
	record := func(minutes int, down bool) {
		for range 2 * minutes {
			rep := pipeline.Report{Stage: spec.Persist, Events: 500, Stored: 500, Breaker: pipeline.BreakerClosed}
			beat := 1.0
			if down {
				rep = pipeline.Report{Stage: spec.Persist, Events: 500, Unstarted: 500, Breaker: pipeline.BreakerOpen,
					Reasons: map[fault.Reason]int{fault.BreakerOpen: 500}}
				beat = 0
			}
			r.Record(&rep)
			if err := r.Add(spec.Heartbeat, spec.Persist, beat); err != nil {
				t.Fatal(err)
			}
			r.now = r.now.Add(30 * time.Second)
		}
		r.flush(t)
	}
	open := func() *alarm.Evaluator {
		e, err := OpenAlarms(r.reader, AlarmOptions{Dir: r.dir, Since: first})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	firing := func(e *alarm.Evaluator) string {
		if _, err := e.Evaluate(t.Context(), r.now.Add(3*time.Second)); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range alarm.Pagers(e.Statuses()) {
			if p.Stage == spec.Persist {
				names = append(names, p.Severity+" "+strings.Join(p.Firing, " "))
			}
		}
		return strings.Join(names, ", ")
	}
	e := open()
	record(20, false)
	if got := firing(e); got != "" {
		t.Errorf("quiet operation: %s", got)
	}
	record(16, true)
	const outage = "P1 breaker-open store-unreachable, P2 availability"
	if got := firing(e); got != outage {
		t.Errorf("got %q", got)
	}
	if err := saveAlarms(r.dir, e); err != nil {
		t.Fatal(err)
	}
	again := open()
	if got := firing(again); got != outage || len(again.History()) != len(e.History()) {
		t.Errorf("the next process: %q, %d changes", got, len(again.History()))
	}
	record(20, false)
	if got := firing(again); got != "" {
		t.Errorf("after the outage: %s", got)
	}
}

func TestDamagedAlarmsFile(t *testing.T) {
	r := newRecorded(t)
	if err := os.WriteFile(filepath.Join(r.dir, alarmsFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := OpenAlarms(r.reader, AlarmOptions{Dir: r.dir})
	if err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("got %v", err)
	}
}

// The running pipeline measures everything that the alarms of its kind read.
func TestMonitorMeasuresWhatAlarmsRead(t *testing.T) {
	p := start(t, options(t, t.TempDir()))
	var missing []string
	defer func() {
		if len(missing) > 0 {
			t.Errorf("not measured: %q", missing)
		}
	}()
	eventually(t, "everything is measured", func() bool {
		missing = unmeasured(t, p)
		return len(missing) == 0
	})
}

// unmeasured are the series that are there whether or not events are, and have no data yet.
func unmeasured(t *testing.T, p *Pipeline) []string {
	t.Helper()
	if err := p.metrics.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	r, err := OpenMetrics(t.Context(), p.o.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	src, end := AlarmSource(r), time.Now().Add(time.Minute)
	var missing []string
	for _, a := range spec.Alarms {
		if a.Needs == spec.NeedsTopics { // not evaluated here
			continue
		}
		for _, stage := range a.Stages {
			for _, c := range a.When {
				for _, x := range spec.Render(c.Value, c.Scope(stage, nil, 1)).Series {
					m, _ := spec.MetricByName(x.Metric)
					if !m.Monitored && x.Namespace != spec.AWSSQS {
						continue
					}
					v, err := src.Query(t.Context(), x, end, time.Hour, 1)
					if err == nil && !v[0].OK {
						missing = append(missing, x.String())
					}
				}
			}
		}
	}
	return missing
}
