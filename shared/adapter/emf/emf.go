// Package emf writes metrics as log lines in Amazon CloudWatch's embedded metric format:
// on Lambda a line on standard output becomes metrics without a call to CloudWatch.
//
// An invocation writes one line, never one per event: at 100,000 events/s a line per
// event would cost $16,400 a month. Further lines follow only where the format forces
// it: a metric may have at most 100 values in a line, and CloudWatch drops the rest
// without a word. EventLatency has a value per event, so 1,000 events that ended in an
// invocation make ten lines; the nine further ones hold nothing but their values.
//
// That costs about 7 bytes of log for each event that ends in a stage, some $900 a month
// at 100,000 events/s (BenchmarkEmit). With Options.Counts it is one line of 1 to 2 KB
// per invocation, a fifteenth of that: EventLatency is then a histogram
// {"Values": […], "Counts": […]}. CloudWatch takes that form, and AWS's own writers use
// it (awslabs/aws-embedded-metrics-java, HistogramMetric; awslabs/metrique), but the
// published specification has numbers and arrays of numbers only, and a form that
// CloudWatch ceased to take would be a latency alarm that never fires. So it is a choice
// (the setting LatencyMetric) and not the default.
//
// Source of the rules: Amazon CloudWatch User Guide, "Specification: Embedded metric
// format". shared/conformance/emftest holds them as a schema.
package emf

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/metric"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// maxValues is the most values of one metric in one line.
const maxValues = 100

// Options of New.
type Options struct {
	Env    string // value of the dimension Env
	Counts bool   // EventLatency as a histogram: see the package comment
}

// Writer writes metrics. It is safe for concurrent use.
type Writer struct {
	out io.Writer
	o   Options

	mu       sync.Mutex // of what follows: the buffers of one Emit
	line     line
	readings []metric.Reading
	sorted   []time.Duration
}

// New returns a writer of lines to out. The error says why CloudWatch would not take
// the options.
func New(out io.Writer, o Options) (*Writer, error) {
	if err := spec.CheckDimension(o.Env); err != nil {
		return nil, fmt.Errorf("emf: %w", err)
	}
	return &Writer{out: out, o: o}, nil
}

// Emit writes the metrics of one invocation, its lines in one call of Write. The time
// of the values is the invocation's end. A stage that spec.Metrics does not name has no
// metrics: nothing is written.
func (w *Writer) Emit(r *pipeline.Report) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readings = metric.Append(w.readings[:0], r)
	if len(w.readings) == 0 {
		return nil
	}
	w.line.b = w.line.b[:0]
	rest := w.latencies(r)
	end := r.Start.Add(r.Duration)
	w.head(r.Stage, end, w.readings, len(rest) > 0)
	rest = w.latency(rest)
	w.properties(r)
	w.line.end()
	for len(rest) > 0 {
		w.head(r.Stage, end, nil, true)
		rest = w.latency(rest)
		w.line.text("RequestId", r.RequestID)
		w.line.end()
	}
	if _, err := w.out.Write(w.line.b); err != nil {
		return fmt.Errorf("emf: write metrics: %w", err)
	}
	return nil
}

// Measure writes readings of a stage that no invocation made: the monitor's.
func (w *Writer) Measure(stage string, at time.Time, readings []metric.Reading) error {
	if len(readings) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line.b = w.line.b[:0]
	w.head(stage, at, readings, false)
	w.line.end()
	if _, err := w.out.Write(w.line.b); err != nil {
		return fmt.Errorf("emf: write metrics: %w", err)
	}
	return nil
}

// head begins a line: the metadata that says what CloudWatch extracts, the dimensions
// and the readings.
func (w *Writer) head(stage string, at time.Time, readings []metric.Reading, latency bool) {
	l := &w.line
	l.raw(`{"_aws":{"Timestamp":`)
	l.int(at.UnixMilli())
	l.raw(`,"CloudWatchMetrics":[{"Namespace":"` + spec.Namespace + `","Dimensions":[["` +
		spec.DimensionService + `","` + spec.DimensionStage + `","` + spec.DimensionEnv + `"]],"Metrics":[`)
	for _, x := range readings {
		l.definition(x.Metric.Name, x.Metric.Unit)
	}
	if latency {
		l.definition(spec.EventLatency, spec.Milliseconds)
	}
	l.raw(`]}]}`)
	l.text(spec.DimensionService, spec.Service)
	l.text(spec.DimensionStage, stage)
	l.text(spec.DimensionEnv, w.o.Env)
	for _, x := range readings {
		l.number(x.Metric.Name, x.Value)
	}
}

// properties are what a log query can filter and add up, and CloudWatch makes no
// metrics of.
func (w *Writer) properties(r *pipeline.Report) {
	l := &w.line
	l.text("RequestId", r.RequestID)
	l.text("TraceParent", r.TraceParent)
	l.text("Source", r.Source)
	l.number("DurationMs", milliseconds(r.Duration))
	for _, c := range [...]struct {
		name string
		n    int
	}{
		{"Deliveries", r.Deliveries}, {"FailedDeliveries", r.Failed}, {"Forwarded", r.Forwarded}, {"Packs", r.Packs},
		{"BytesIn", r.BytesIn}, {"BytesRaw", r.BytesRaw}, {"BytesOut", r.BytesOut},
	} {
		l.number(c.name, float64(c.n))
	}
	w.reasons(r)
}

// maxReasons bounds the reasons of a line. The table of package fault has fewer, but
// handlers may have their own.
const maxReasons = 100

func (w *Writer) reasons(r *pipeline.Report) {
	if len(r.Reasons) == 0 {
		return
	}
	all := make([]fault.Reason, 0, len(r.Reasons))
	for reason := range r.Reasons {
		all = append(all, reason)
	}
	slices.Sort(all)
	l := &w.line
	l.key("Reasons")
	l.raw("{")
	more := 0
	for i, reason := range all {
		if i < maxReasons {
			l.number(string(reason), float64(r.Reasons[reason]))
		} else {
			more += r.Reasons[reason]
		}
	}
	l.raw("}")
	if more > 0 {
		l.number("MoreReasons", float64(more))
	}
}
