package metrics

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/internal/db"
	"github.com/millrace-pipeline/millrace/shared/metric"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// every is how often Run writes, and how often it looks for points to compact.
const (
	every        = time.Second
	everyCompact = time.Minute
)

// Options of Open.
type Options struct {
	Now func() time.Time
	// OnError is called by Run when writing begins to fail, and not again until it has
	// worked in between. nil: nobody is told.
	OnError func(error)
}

// Recorder records reports. It is safe for concurrent use.
type Recorder struct {
	db *db.DB
	o  Options

	mu       sync.Mutex // never held while the file is waited for
	pending  map[slot]stats
	readings []metric.Reading

	writing sync.Mutex // one Flush at a time
}

// slot is the stage, or what else a metric is of, and the time that values belong to.
type slot struct {
	stage         string
	period, start int64
}

// stats by metric name.
type stats map[string]*stat

func (s stats) of(name string) *stat {
	if s[name] == nil {
		s[name] = new(stat)
	}
	return s[name]
}

// Open opens the file for recording and makes it if it is missing. The errors say what
// an operator can do: the file is locked, damaged, of another kind, or not permitted.
func Open(ctx context.Context, path string, o Options) (*Recorder, error) {
	if o.Now == nil {
		return nil, errors.New("metrics: no clock")
	}
	d, err := open(ctx, path, false)
	if err != nil {
		return nil, err
	}
	return &Recorder{db: d, o: o, pending: make(map[slot]stats)}, nil
}

// Record notes the metrics of one invocation, which has just ended. It never waits for
// the file.
func (r *Recorder) Record(rep *pipeline.Report) {
	now := r.o.Now().Unix()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readings = metric.Append(r.readings[:0], rep)
	if len(r.readings) == 0 {
		return
	}
	s := r.at(slot{rep.Stage, second, now})
	for _, x := range r.readings {
		s.of(x.Metric.Name).add(x.Value)
	}
	if ds := metric.Latencies(rep); len(ds) > 0 {
		s.of(spec.EventLatency).addDurations(ds)
	}
}

// Add notes a value that no invocation made: what the monitor measured, or a metric that
// AWS would emit (the Key of a row of spec.AWSMetrics that is Embedded), of a stage or of
// a queue. An error is a name that nobody could read again.
func (r *Recorder) Add(metric, of string, v float64) error {
	if err := check(metric, of); err != nil {
		return err
	}
	now := r.o.Now().Unix()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at(slot{of, second, now}).of(metric).add(v)
	return nil
}

func (r *Recorder) at(at slot) stats {
	s := r.pending[at]
	if s == nil {
		s = make(stats)
		r.pending[at] = s
	}
	return s
}

// Flush writes what was recorded, in one transaction. When it fails nothing is lost:
// the next Flush writes it, as minutes.
func (r *Recorder) Flush(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	taken := r.pending
	r.pending = make(map[slot]stats, len(taken))
	r.mu.Unlock()
	if len(taken) == 0 {
		return nil
	}
	err := r.write(ctx, taken)
	if err != nil {
		r.takeBack(taken)
	}
	return err
}

// takeBack keeps what could not be written. Of minutes there are few, however long the
// file cannot be written.
func (r *Recorder) takeBack(taken map[slot]stats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for at, from := range taken {
		to := r.at(slot{at.stage, minute, floor(at.start, minute)})
		for name, s := range from {
			to.of(name).merge(s)
		}
	}
}

// Run writes once a second and compacts once a minute, until ctx is done; then it
// writes once more and returns that write's error. A write that fails is told to
// Options.OnError and tried again with the next.
func (r *Recorder) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := false
	var compacted time.Time
	for {
		select {
		case <-ctx.Done():
			return r.Flush(context.WithoutCancel(ctx))
		case <-tick.C:
		}
		err := r.Flush(ctx)
		if now := r.o.Now(); err == nil && now.Sub(compacted) >= everyCompact {
			err = r.compact(ctx, now)
			compacted = now
		}
		if err != nil && !failing && ctx.Err() == nil && r.o.OnError != nil {
			r.o.OnError(err)
		}
		failing = err != nil
	}
}

// Close writes what is left and closes the file.
func (r *Recorder) Close() error {
	return errors.Join(r.Flush(context.Background()), r.db.Close())
}
