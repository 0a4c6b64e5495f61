package ops

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Counter counts stored events; store.Reader is one.
type Counter interface {
	Count(ctx context.Context, f store.Filter) (int64, error)
}

// Depther knows how full queues are; queue.Broker is one.
type Depther interface {
	Depths(ctx context.Context, names ...string) (map[string]queue.Depth, error)
}

// Meter reads recorded metrics of package spec. stage "" means all that emit it; a zero
// since, everything that was ever recorded.
type Meter interface {
	Sum(ctx context.Context, metric, stage string, since time.Time) (float64, error)
	// Percentiles of a distribution (99 is p99), in the metric's unit, and the number of
	// values that they are of; without any they are nil.
	Percentiles(ctx context.Context, metric string, since time.Time, q ...float64) (v []float64, n int64, err error)
}

// Lagger knows how many records of the topic ingest has not committed yet.
type Lagger interface {
	// Lag: known is false where nobody has said so lately.
	Lag(ctx context.Context) (records int64, known bool, err error)
}

// StatusSources are where Status looks.
type StatusSources struct {
	Store  Counter
	Queues Depther
	Also   []string // further queues to look at, such as those that only a deployment has
	Browse Browser  // nil: messages in flight cannot be looked at, so events are not counted
	Meter  Meter    // nil: nothing was recorded
	Lag    Lagger   // nil: there is no Kafka to ask
	// Rate is the time that PerSecond is of, no less than the meter's values come in;
	// 0: RateWindow.
	Rate time.Duration
	Now  func() time.Time
}

// Status is the state of a pipeline. Persisted, Dead and InFlight are what is there now;
// In, Duplicates and Dropped count as far back as the meter remembers, and count again
// what a crash repeated. What could not be found out is nil: it is not zero.
type Status struct {
	In         *int64 `json:"in"`         // events that came in, refused ones included
	Persisted  *int64 `json:"persisted"`  // in the event store
	Duplicates *int64 `json:"duplicates"` // came, and were in the event store already
	Dropped    *int64 `json:"dropped"`    // ended by a handler
	Dead       *int64 `json:"dead"`       // dead letters, the quarantine included
	InFlight   *int64 `json:"in_flight"`  // in the queues between the stages; nil too where they cannot be counted

	// ConsumerLag is how many Kafka records wait for ingest; nil where nobody can say.
	ConsumerLag *int64 `json:"consumer_lag"`

	// PerSecond is how many events were stored a second in the last StatusSources.Rate.
	PerSecond *float64 `json:"events_per_second"`
	// Time from received to stored, dropped or dead in the last LatencyWindow; nil
	// without events in it.
	P50 *float64 `json:"p50_ms"`
	P99 *float64 `json:"p99_ms"`

	Queues   map[string]QueueStatus `json:"queues"`
	Problems []string               `json:"problems,omitempty"` // what could not be found out
}

// QueueStatus is one queue, counted in messages: a message carries up to some hundred events.
type QueueStatus struct {
	queue.Depth
	OldestSeconds float64 `json:"oldest_seconds"` // age of the oldest message; 0 without any
}

// What the rate and the percentiles of a Status are of.
const (
	RateWindow    = 10 * time.Second
	LatencyWindow = 5 * time.Minute
)

// QueueNames are the pipeline's queues in the order that an event takes, the dead-letter
// queues at the end.
func QueueNames() []string {
	var names []string
	for _, s := range spec.Stages {
		names = append(names, s.Queue())
	}
	return append(names, DeadLetterQueues()...)
}

// ReadStatus finds out the state of a pipeline. What one source does not tell is missing
// and among the problems; the rest is there.
func ReadStatus(ctx context.Context, from StatusSources) Status {
	r := statusReader{from: from}
	r.s.Queues = make(map[string]QueueStatus)
	r.queues(ctx)
	r.store(ctx)
	r.meter(ctx)
	if from.Lag != nil {
		if lag, known, err := from.Lag.Lag(ctx); r.ok("consumer lag", err) && known {
			r.s.ConsumerLag = &lag
		}
	}
	return r.s
}

type statusReader struct {
	from StatusSources
	s    Status
}

// ok notes an error as a problem.
func (r *statusReader) ok(what string, err error) bool {
	if err != nil {
		r.s.Problems = append(r.s.Problems, fmt.Sprintf("%s: %v", what, err))
	}
	return err == nil
}

func (r *statusReader) queues(ctx context.Context) {
	depths, err := r.from.Queues.Depths(ctx, append(QueueNames(), r.from.Also...)...)
	if !r.ok("queues", err) {
		return
	}
	for name, d := range depths {
		r.s.Queues[name] = QueueStatus{Depth: d, OldestSeconds: round(d.Oldest.Seconds())}
	}
	var dead int64
	for _, name := range DeadLetterQueues() {
		dead += int64(depths[name].Total())
	}
	r.s.Dead = &dead
	r.inFlight(ctx, depths)
}

func (r *statusReader) inFlight(ctx context.Context, depths map[string]queue.Depth) {
	var sum int64
	for _, s := range spec.Stages {
		if depths[s.Queue()].Total() == 0 {
			continue
		}
		if r.from.Browse == nil {
			return
		}
		n, err := eventsIn(ctx, r.from.Browse, s.Queue())
		if !r.ok("events in flight", err) {
			return
		}
		sum += n
	}
	r.s.InFlight = &sum
}

func (r *statusReader) store(ctx context.Context) {
	// Events known only for the state of their effect are not stored yet.
	if n, err := r.from.Store.Count(ctx, store.Filter{Status: store.Completed}); r.ok("event store", err) {
		r.s.Persisted = &n
	}
}

func (r *statusReader) meter(ctx context.Context) {
	if r.from.Meter == nil {
		r.s.In, r.s.Duplicates, r.s.Dropped, r.s.PerSecond = new(int64), new(int64), new(int64), new(float64)
		return
	}
	for _, sum := range []struct {
		metric, stage string
		to            **int64
	}{
		{spec.EventThroughput, spec.Ingest, &r.s.In},
		{spec.DuplicateEvents, "", &r.s.Duplicates},
		{spec.EventsDropped, "", &r.s.Dropped},
	} {
		if v, err := r.from.Meter.Sum(ctx, sum.metric, sum.stage, time.Time{}); r.ok("metric "+sum.metric, err) {
			n := int64(v)
			*sum.to = &n
		}
	}
	now, span := r.from.Now(), cmp.Or(r.from.Rate, RateWindow)
	if v, err := r.from.Meter.Sum(ctx, spec.EventsStored, "", now.Add(-span)); r.ok("metric "+spec.EventsStored, err) {
		rate := round(v / span.Seconds())
		r.s.PerSecond = &rate
	}
	p, n, err := r.from.Meter.Percentiles(ctx, spec.EventLatency, now.Add(-LatencyWindow), 50, 99)
	if r.ok("metric "+spec.EventLatency, err) && n > 0 {
		p50, p99 := round(p[0]), round(p[1])
		r.s.P50, r.s.P99 = &p50, &p99
	}
}

// round to three decimals: more is noise.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }
