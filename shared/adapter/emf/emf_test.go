package emf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/conformance/emftest"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/metric"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

var start = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// full is a report of an invocation in which everything happened.
func full(stage string) pipeline.Report {
	return pipeline.Report{
		Stage: stage, RequestID: "8f5a2b3c-0000-4000-8000-1d2e3f405162", Source: "sqs",
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Start:       start, Duration: 125 * time.Millisecond,
		Deliveries: 10, Failed: 1, Events: 200, Forwarded: 150, Stored: 180, Duplicates: 30, Dropped: 7,
		Retried: 6, Redelivery: 4, Unstarted: 8, Dead: 2, BytesIn: 61440, Packs: 3, BytesRaw: 90000, BytesOut: 30000,
		Breaker: pipeline.BreakerOpen, Dependency: pipeline.Usage{Longest: 1500 * time.Millisecond, Waits: 3},
		Latency: []time.Duration{0, 1234 * time.Microsecond, time.Second, 36 * time.Hour},
		Reasons: map[fault.Reason]int{fault.StoreUnavailable: 10, fault.StoreRejected: 2},
	}
}

func checker(t testing.TB) *emftest.Checker {
	t.Helper()
	c, err := emftest.New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func writer(t testing.TB, out io.Writer, o Options) *Writer {
	t.Helper()
	if o.Env == "" {
		o.Env = "test"
	}
	w, err := New(out, o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// emit returns the checked lines of one report.
func emit(t testing.TB, c *emftest.Checker, o Options, r pipeline.Report) []emftest.Doc {
	t.Helper()
	var out bytes.Buffer
	if err := writer(t, &out, o).Emit(&r); err != nil {
		t.Fatal(err)
	}
	docs, err := c.Lines(out.Bytes())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
	if n := bytes.Count(out.Bytes(), []byte("\n")); n != len(docs) || !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
		t.Fatalf("%d lines, %d of them metrics:\n%s", n, len(docs), out.Bytes())
	}
	return docs
}

// Each metric of the table is emitted by exactly the stages it names, with its unit, in
// lines whose only dimension set is spec.Dimensions (emftest.Check).
func TestEveryMetricIsEmitted(t *testing.T) {
	c := checker(t)
	for _, stage := range spec.AlarmStages {
		if stage == spec.OnCall {
			continue // AWS's metrics of it are enough
		}
		docs := emit(t, c, Options{}, full(stage))
		if len(docs) != 1 {
			t.Fatalf("%s: %d lines for one invocation", stage, len(docs))
		}
		for _, m := range spec.Metrics {
			if _, emitted := docs[0].Units[m.Name]; emitted != (m.EmittedBy(stage) && !m.Monitored) {
				t.Errorf("%s emits %s: %v", stage, m.Name, emitted)
			}
		}
	}
}

func TestMeasure(t *testing.T) {
	var out bytes.Buffer
	w := writer(t, &out, Options{Env: "prod"})
	lag, _ := spec.MetricByName(spec.ConsumerLag)
	beat, _ := spec.MetricByName(spec.Heartbeat)
	if err := w.Measure(spec.Ingest, start, []metric.Reading{{Metric: &lag, Value: 1234}, {Metric: &beat, Value: 0}}); err != nil {
		t.Fatal(err)
	}
	docs, err := checker(t).Lines(out.Bytes()) // checks the dimension set
	if err != nil || len(docs) != 1 {
		t.Fatalf("%d lines: %v", len(docs), err)
	}
	d := docs[0]
	if v, n := d.Sum(spec.ConsumerLag); v != 1234 || n != 1 || d.Timestamp != start.UnixMilli() || d.Root["Stage"] != "ingest" || d.Root["Env"] != "prod" {
		t.Errorf("got %s", out.Bytes())
	}
	if v, n := d.Sum(spec.Heartbeat); v != 0 || n != 1 {
		t.Errorf("a heartbeat of 0 must be there: %s", out.Bytes())
	}
	out.Reset()
	if err := w.Measure(spec.Ingest, start, nil); err != nil || out.Len() > 0 {
		t.Errorf("%v: %s", err, out.Bytes())
	}
	if err := writer(t, failing{}, Options{}).Measure(spec.Ingest, start, []metric.Reading{{Metric: &lag}}); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}

func TestValuesAndProperties(t *testing.T) {
	d := emit(t, checker(t), Options{Env: "prod"}, full(spec.Persist))[0]
	if d.Timestamp != start.UnixMilli()+125 {
		t.Errorf("timestamp %d", d.Timestamp)
	}
	for name, want := range map[string]float64{"BatchSize": 200, "FailedEvents": 12, "ErrorRate": 6, "EventsStored": 180, "BreakerState": 1} {
		if got, n := d.Sum(name); got != want || n != 1 {
			t.Errorf("%s is %v (%d values), want %v", name, got, n, want)
		}
	}
	want := []emftest.Value{{Value: 0, Count: 1}, {Value: 1.2, Count: 1}, {Value: 1000, Count: 1}, {Value: 129600000, Count: 1}}
	if got := d.Values[spec.EventLatency]; !slices.Equal(got, want) {
		t.Errorf("latency %v, want %v", got, want)
	}
	for name, want := range map[string]string{
		"Env": "prod", "Service": "millrace", "Stage": "persist", "Source": "sqs", "DurationMs": "125", "Deliveries": "10",
		"FailedDeliveries": "1", "RequestId": "8f5a2b3c-0000-4000-8000-1d2e3f405162", "Reasons": "map[store_rejected:2 store_unavailable:10]",
		"TraceParent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "BytesIn": "61440",
	} {
		if got := fmt.Sprint(d.Root[name]); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func latencyOf(docs []emftest.Doc) (sum float64, n int) {
	for i := range docs {
		s, k := docs[i].Sum(spec.EventLatency)
		sum, n = sum+s, n+k
	}
	return sum, n
}

var reportGen = rapid.Custom(func(t *rapid.T) pipeline.Report {
	count := rapid.IntRange(0, 5000)
	r := pipeline.Report{
		Stage: rapid.SampledFrom(spec.Stages).Draw(t, "stage").Name, RequestID: rapid.String().Draw(t, "request"),
		TraceParent: rapid.String().Draw(t, "trace"), Source: rapid.StringMatching(`[a-z]*`).Draw(t, "source"),
		Start: start, Duration: time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "duration")),
		Deliveries: count.Draw(t, "deliveries"), Failed: count.Draw(t, "failed"), Events: count.Draw(t, "events"),
		Forwarded: count.Draw(t, "forwarded"), Stored: count.Draw(t, "stored"), Duplicates: count.Draw(t, "duplicates"),
		Dropped: count.Draw(t, "dropped"), Retried: count.Draw(t, "retried"), Redelivery: count.Draw(t, "redelivery"),
		Unstarted: count.Draw(t, "unstarted"), Dead: count.Draw(t, "dead"), Packs: count.Draw(t, "packs"),
		BytesIn: count.Draw(t, "in"), BytesRaw: count.Draw(t, "raw"), BytesOut: count.Draw(t, "out"),
		Breaker: rapid.SampledFrom([]pipeline.BreakerState{"", "closed", "open", "half-open"}).Draw(t, "breaker"),
		Reasons: rapid.MapOf(rapid.Map(rapid.String(), func(s string) fault.Reason { return fault.Reason(s) }), count).Draw(t, "reasons"),
	}
	n := rapid.IntRange(0, 450).Draw(t, "latencies")
	for range n {
		r.Latency = append(r.Latency, time.Duration(math.Exp2(rapid.Float64Range(10, 45).Draw(t, "log2 of ns"))))
	}
	return r
})

// Whatever the report: the lines are right, no value is lost, sums are kept, and the
// lines are as few as the format allows.
func TestNothingIsLost(t *testing.T) {
	c := checker(t)
	rapid.Check(t, func(t *rapid.T) {
		r := reportGen.Draw(t, "report")
		before := slices.Clone(r.Latency)
		for _, counts := range []bool{false, true} {
			var out bytes.Buffer
			w, err := New(&out, Options{Env: "test", Counts: counts})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Emit(&r); err != nil {
				t.Fatal(err)
			}
			docs, err := c.Lines(out.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(before, r.Latency) {
				t.Fatal("the report was changed")
			}
			want, wantSum := 0, 0.0
			if r.Stage != spec.Ingest {
				want = len(r.Latency)
				for _, d := range r.Latency {
					wantSum += float64(d) / 1e6
				}
			}
			sum, n := latencyOf(docs)
			if n != want {
				t.Fatalf("%d latencies, want %d", n, want)
			}
			if off := math.Abs(sum - wantSum); !counts && off > 0.0501*float64(n) || counts && off > 1e-6*wantSum {
				t.Fatalf("sum of latencies %v, want %v", sum, wantSum)
			}
			if most := max((want+maxValues-1)/maxValues, 1); len(docs) > most || !counts && len(docs) != most {
				t.Fatalf("%d lines for %d values", len(docs), want)
			}
			for i := range docs[1:] {
				if len(docs[i+1].Units) != 1 {
					t.Fatalf("line %d repeats metrics: %v", i+1, docs[i+1].Units)
				}
			}
		}
	})
}

func TestCountsKeepEachValueNearly(t *testing.T) {
	r := full(spec.Persist)
	r.Latency = nil
	for i := range 3000 {
		r.Latency = append(r.Latency, time.Duration(i%97)*3*time.Millisecond+time.Duration(i)*time.Microsecond)
	}
	docs := emit(t, checker(t), Options{Counts: true}, r)
	if len(docs) > 5 { // the values lie in 442 buckets
		t.Errorf("%d lines", len(docs))
	}
	var got []float64
	for _, d := range docs {
		for _, v := range d.Values[spec.EventLatency] {
			got = append(got, slices.Repeat([]float64{v.Value}, v.Count)...)
		}
	}
	slices.Sort(r.Latency)
	for i, d := range r.Latency {
		if want := float64(d) / 1e6; math.Abs(got[i]-want) > want/64 {
			t.Fatalf("value %d is %v, want %v", i, got[i], want)
		}
	}
}

// awslabs/aws-lambda-powertools-python #1062: more than 100 values of one metric went
// into one line, and CloudWatch ignored those above.
func TestPowertoolsPython1062MoreThan100Values(t *testing.T) {
	c := checker(t)
	for n, lines := range map[int]int{1: 1, 99: 1, 100: 1, 101: 2, 200: 2, 201: 3, 10_000: 100} {
		r := full(spec.Persist)
		r.Latency = slices.Repeat([]time.Duration{7 * time.Millisecond}, n)
		docs := emit(t, c, Options{}, r)
		if sum, got := latencyOf(docs); got != n || sum != float64(7*n) || len(docs) != lines {
			t.Errorf("%d values: %d values with sum %v in %d lines", n, got, sum, len(docs))
		}
	}
}

// aws-powertools/powertools-lambda-typescript #1529: the same there. What was flushed
// early must keep the dimensions, and the other metrics must not be repeated.
func TestPowertoolsTypescript1529SplitKeepsDimensions(t *testing.T) {
	r := full(spec.Process)
	r.Latency = make([]time.Duration, 350)
	docs := emit(t, checker(t), Options{Env: "prod"}, r)
	for i, d := range docs {
		if d.Root["Service"] != "millrace" || d.Root["Stage"] != "process" || d.Root["Env"] != "prod" {
			t.Errorf("line %d: dimensions %v %v %v", i, d.Root["Service"], d.Root["Stage"], d.Root["Env"])
		}
		if d.Root["RequestId"] != r.RequestID {
			t.Errorf("line %d does not say which invocation it is of", i)
		}
		if _, n := d.Sum(spec.BatchSize); n != 0 && i > 0 {
			t.Errorf("line %d counts the batch again", i)
		}
	}
}

// aws-powertools/powertools-lambda-python #1239: a dimension that the library added by
// itself made one too many, and the metrics vanished. Here nothing can add one: what
// the report holds are properties, and a bad value is refused at start.
func TestPowertoolsPython1239DimensionsDroppedSilently(t *testing.T) {
	for _, env := range []string{"", " ", "prod\n", "größe", strings.Repeat("x", 1025)} {
		if _, err := New(io.Discard, Options{Env: env}); err == nil {
			t.Errorf("environment %.20q was accepted", env)
		}
	}
	r := full(spec.Persist)
	for i := range 200 {
		r.Reasons[fault.Reason(fmt.Sprint("tenant", i))] = 1
	}
	d := emit(t, checker(t), Options{}, r)[0] // checks the dimension set
	sum, _ := d.Sum(spec.FailedEvents)
	if got := fmt.Sprint(d.Root["MoreReasons"]); sum != 212 || got != "102" {
		t.Errorf("FailedEvents %v, reasons left out %s", sum, got)
	}
}

func TestLineStaysBelow1MB(t *testing.T) {
	r := full(spec.Persist)
	long := strings.Repeat("\x01\xff\"", 1<<14)
	r.RequestID, r.TraceParent, r.Source = long, long, long
	for i := range 1000 {
		r.Reasons[fault.Reason(fmt.Sprint(i, long))] = i
	}
	emit(t, checker(t), Options{}, r)
}

func TestStageWithoutMetricsWritesNothing(t *testing.T) {
	var out bytes.Buffer
	if err := writer(t, &out, Options{}).Emit(&pipeline.Report{Stage: "elsewhere", Events: 1}); err != nil || out.Len() > 0 {
		t.Errorf("%v: %s", err, out.Bytes())
	}
}

type failing struct{}

var errFull = errors.New("disk full")

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrorIsReturned(t *testing.T) {
	r := full(spec.Ingest)
	if err := writer(t, failing{}, Options{}).Emit(&r); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}

// lockedBuffer notes each Write by itself.
type lockedBuffer struct {
	mu     sync.Mutex
	writes [][]byte
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writes = append(b.writes, bytes.Clone(p))
	return len(p), nil
}

func TestConcurrentInvocations(t *testing.T) {
	const invocations = 32
	var out lockedBuffer
	w := writer(t, &out, Options{Counts: true})
	var wg sync.WaitGroup
	for i := range invocations {
		wg.Go(func() {
			r := full(spec.Persist)
			r.Events = i
			r.Latency = slices.Repeat([]time.Duration{time.Duration(i) * time.Millisecond}, i+1)
			if err := w.Emit(&r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c, seen := checker(t), 0
	for _, b := range out.writes {
		docs, err := c.Lines(b)
		if err != nil || len(docs) != 1 {
			t.Fatalf("%d lines in one write: %v", len(docs), err)
		}
		size, _ := docs[0].Sum(spec.BatchSize)
		if sum, n := docs[0].Sum(spec.EventLatency); n != int(size)+1 || sum != size*(size+1) {
			t.Errorf("invocation %v has %d latencies with sum %v", size, n, sum)
		}
		seen++
	}
	if seen != invocations {
		t.Errorf("%d of %d invocations", seen, invocations)
	}
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

// An invocation of 3,000 events in ten packs, whose latencies lie around 120 ms.
func BenchmarkEmit(b *testing.B) {
	for _, counts := range []bool{false, true} {
		b.Run(map[bool]string{false: "values", true: "counts"}[counts], func(b *testing.B) {
			r := full(spec.Persist)
			r.Latency = nil
			for i := range 3000 {
				r.Latency = append(r.Latency, 120*time.Millisecond+time.Duration(i/300)*7*time.Millisecond+time.Duration(i%3)*time.Millisecond)
			}
			var out counter
			w := writer(b, &out, Options{Counts: counts})
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Emit(&r); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(out.n)/float64(b.N)/3000, "B/event")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/3000, "ns/event")
		})
	}
}
