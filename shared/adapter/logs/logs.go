// Package logs writes the log: JSON lines by log/slog, and of each invocation one wide
// line that says everything that happened in it.
//
// No line holds a payload. Events are named by source and id. The text of an error may
// quote the event (a handler's own text does, and so do parsers), so it is written only
// where it cannot have come from the event: see text.go. The dead letter has it in full,
// and `millrace dlq show` prints it.
package logs

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/metric"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// New returns a logger of JSON lines from the level up. Every line has service and env.
func New(out io.Writer, level slog.Level, env string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})).
		With("service", spec.Service, "env", env)
}

// Message of the line of an invocation, to find these lines by.
const Message = "invocation"

// Invocation writes the one line of an invocation. Its level is ERROR when an event was
// dead-lettered or the stage broke its contract, WARN when anything is to be tried
// again, else INFO.
func Invocation(ctx context.Context, l *slog.Logger, r *pipeline.Report) {
	level := Level(r)
	if !l.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 32)
	attrs = append(attrs,
		slog.String("stage", r.Stage),
		slog.String("request_id", short(r.RequestID)),
		slog.String("traceparent", short(r.TraceParent)),
		slog.String("source", r.Source),
		slog.Float64("duration_ms", milliseconds(r.Duration)),
		slog.Int("deliveries", r.Deliveries),
		slog.Int("events", r.Events),
	)
	attrs = counts(attrs, r)
	attrs = latency(attrs, r.Latency)
	if len(r.Reasons) > 0 {
		attrs = append(attrs, slog.Any("reasons", r.Reasons))
	}
	if len(r.Failures) > 0 {
		attrs = append(attrs, slog.Any("failures", failures(r.Failures)))
	}
	l.LogAttrs(ctx, level, Message, attrs...)
}

// Level of the invocation's line.
func Level(r *pipeline.Report) slog.Level {
	switch {
	case r.Dead > 0 || r.Reasons[fault.Bug] > 0:
		return slog.LevelError
	case r.Failed > 0 || r.Retried > 0 || r.Redelivery > 0 || r.Unstarted > 0 || len(r.Reasons) > 0:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

// counts adds those that are not zero: a line has what happened.
func counts(attrs []slog.Attr, r *pipeline.Report) []slog.Attr {
	for _, c := range [...]struct {
		name string
		n    int
	}{
		{"failed_deliveries", r.Failed}, {"forwarded", r.Forwarded}, {"stored", r.Stored}, {"duplicates", r.Duplicates},
		{"dropped", r.Dropped}, {"retried", r.Retried}, {"redelivered", r.Redelivery}, {"unstarted", r.Unstarted}, {"dead", r.Dead},
		{"bytes_in", r.BytesIn}, {"packs", r.Packs}, {"bytes_raw", r.BytesRaw}, {"bytes_out", r.BytesOut},
	} {
		if c.n != 0 {
			attrs = append(attrs, slog.Int(c.name, c.n))
		}
	}
	if r.Breaker != "" {
		attrs = append(attrs, slog.String("breaker", string(r.Breaker)))
	}
	return attrs
}

// latency adds percentiles, to 1 %, of the events that ended in the invocation.
func latency(attrs []slog.Attr, ds []time.Duration) []slog.Attr {
	if len(ds) == 0 {
		return attrs
	}
	var h metric.Histogram
	for _, d := range ds {
		h.Add(d)
	}
	return append(attrs,
		slog.Float64("latency_p50_ms", milliseconds(h.Quantile(0.5))),
		slog.Float64("latency_p99_ms", milliseconds(h.Quantile(0.99))),
		slog.Float64("latency_max_ms", milliseconds(slices.Max(ds))),
	)
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
