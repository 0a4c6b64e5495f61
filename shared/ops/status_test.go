package ops

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// plant is a pipeline whose state the test sets.
type plant struct {
	shelf
	stored int64
	depths map[string]queue.Depth
	sums   map[string]float64 // by metric and stage
	since  map[string]time.Time
	p      []float64
	lag    int64
	broken error
}

func (p *plant) Count(_ context.Context, f store.Filter) (int64, error) {
	if f != (store.Filter{Status: store.Completed}) {
		return 0, errors.New("counts others than stored events")
	}
	return p.stored, p.broken
}

func (p *plant) Depths(context.Context, ...string) (map[string]queue.Depth, error) {
	return p.depths, p.broken
}

func (p *plant) Sum(_ context.Context, metric, stage string, since time.Time) (float64, error) {
	p.since[metric] = since
	return p.sums[metric+"/"+stage], p.broken
}

func (p *plant) Percentiles(_ context.Context, metric string, since time.Time, q ...float64) ([]float64, int64, error) {
	p.since[metric] = since
	if len(p.p) != len(q) {
		return nil, 0, p.broken
	}
	return p.p, 1, p.broken
}

func (p *plant) Lag(context.Context) (int64, bool, error) { return p.lag, true, p.broken }

func (p *plant) sources() StatusSources {
	p.since = make(map[string]time.Time)
	return StatusSources{Store: p, Queues: p, Browse: p, Meter: p, Lag: p, Now: func() time.Time { return testTime }}
}

func newPlant() *plant {
	p := &plant{
		stored: 27004, lag: 12, p: []float64{1.5, 20},
		depths: map[string]queue.Depth{
			spec.Ingest: {}, spec.Process: {Visible: 1, InFlight: 1}, spec.Persist: {Delayed: 1, Oldest: 90 * time.Second},
			"ingest-dlq": {Visible: 7}, "process-dlq": {InFlight: 2}, "persist-dlq": {}, spec.Quarantine: {Visible: 1},
		},
		sums: map[string]float64{
			spec.EventThroughput + "/" + spec.Ingest: 54108, spec.DuplicateEvents + "/": 27004,
			spec.EventsDropped + "/": 3, spec.EventsStored + "/": 5000,
		},
	}
	counted := func(n int) queue.Message {
		return queue.Message{Body: []byte("x"), Attributes: pipeline.Attrs{Count: n}.Map()}
	}
	p.put(spec.Process, counted(200))
	p.put(spec.Process, counted(0)) // who sent it did not count: one
	p.put(spec.Persist, counted(50))
	return p
}

func TestReadStatus(t *testing.T) {
	p := newPlant()
	got := ReadStatus(t.Context(), p.sources())
	for name, q := range got.Queues {
		if d := cmp.Diff(QueueStatus{p.depths[name], p.depths[name].Oldest.Seconds()}, q); d != "" {
			t.Error(name, d)
		}
	}
	if len(got.Queues) != len(QueueNames()) {
		t.Errorf("%d queues", len(got.Queues))
	}
	got.Queues = nil
	n := func(n int64) *int64 { return &n }
	rate := 500.0
	want := Status{
		In: n(54108), Persisted: n(27004), Duplicates: n(27004), Dropped: n(3), Dead: n(10), InFlight: n(251), ConsumerLag: n(12),
		PerSecond: &rate, P50: &p.p[0], P99: &p.p[1],
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	since := map[string]time.Time{
		spec.EventThroughput: {}, spec.DuplicateEvents: {}, spec.EventsDropped: {},
		spec.EventsStored: testTime.Add(-10 * time.Second), spec.EventLatency: testTime.Add(-5 * time.Minute),
	}
	if d := cmp.Diff(since, p.since); d != "" {
		t.Error(d)
	}
}

// What nobody knows is missing, not zero.
func TestReadStatusUnknown(t *testing.T) {
	p := newPlant()
	p.p = nil
	from := p.sources()
	from.Browse, from.Lag = nil, nil
	got := ReadStatus(t.Context(), from)
	if got.InFlight != nil || got.ConsumerLag != nil || got.P50 != nil || got.P99 != nil || len(got.Problems) > 0 {
		t.Errorf("%+v", got)
	}
	p.depths = map[string]queue.Depth{}
	if got := ReadStatus(t.Context(), from); got.InFlight == nil || *got.InFlight != 0 {
		t.Error("empty queues hold no events, whoever can look")
	}
	from.Meter = nil // nothing was recorded, so there was nothing
	if got := ReadStatus(t.Context(), from); len(got.Problems) > 0 || *got.In != 0 || *got.PerSecond != 0 || *got.Persisted != 27004 {
		t.Errorf("%+v", got)
	}
}

func TestReadStatusProblems(t *testing.T) {
	p := newPlant()
	p.broken = errors.New("disk on fire")
	got := ReadStatus(t.Context(), p.sources())
	if len(got.Problems) != 8 { // queues, store, four sums, percentiles, lag
		t.Errorf("%q", got.Problems)
	}
	if got.Queues = nil; !cmp.Equal(got, Status{Problems: got.Problems}) {
		t.Errorf("what nobody knows reads as known: %+v", got)
	}
	p = newPlant()
	p.fail = errors.New("disk on fire")
	got = ReadStatus(t.Context(), p.sources())
	if len(got.Problems) != 1 || got.InFlight != nil || *got.Dead != 10 || *got.Persisted != 27004 {
		t.Errorf("one problem hides the rest: %+v", got)
	}
}
