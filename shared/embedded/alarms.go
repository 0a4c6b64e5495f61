package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/metrics"
	"github.com/millrace-pipeline/millrace/shared/alarm"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// alarmsFile has the states and the history of the alarms: alarm.Evaluator's Save.
const alarmsFile = "alarms.json"

// AlarmOptions of OpenAlarms.
type AlarmOptions struct {
	Dir   string
	Mongo bool      // the event store is MongoDB
	Since time.Time // when the process that runs there was started; zero: none runs
}

// OpenAlarms makes an evaluator over what the pipeline of a data directory has recorded,
// with the states and the history as its process saved them last.
func OpenAlarms(r *metrics.Reader, o AlarmOptions) (*alarm.Evaluator, error) {
	e := alarm.New(alarm.Options{
		Source: AlarmSource(r), Since: o.Since,
		Have: func(n spec.Need) bool { return n == spec.NeedsKafka || n == spec.NeedsMongo && o.Mongo },
	})
	saved, err := os.ReadFile(filepath.Join(o.Dir, alarmsFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return e, nil
	case err == nil:
		err = e.Restore(saved)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; delete it, and the alarms begin anew", filepath.Join(o.Dir, alarmsFile), err)
	}
	return e, nil
}

// AlarmSource gives alarms what the pipeline has recorded of itself.
func AlarmSource(r *metrics.Reader) alarm.Source { return &alarmSource{r} }

type alarmSource struct{ r *metrics.Reader }

// Query implements alarm.Source.
func (s *alarmSource) Query(ctx context.Context, x spec.Series, end time.Time, period time.Duration, n int) ([]alarm.Value, error) {
	name, err := recordedAs(x)
	if err != nil {
		return nil, err
	}
	start := end.Add(-time.Duration(n) * period)
	values := make([]alarm.Value, n)
	if start.Unix()%int64(period/time.Second) == 0 { // then the reader's steps are the periods
		points, err := s.r.Query(ctx, name, x.ResourceName(), start, end, period)
		if err != nil {
			return nil, err
		}
		for i := range points {
			values[points[i].Start.Sub(start)/period] = valueOf(&points[i], x.Stat)
		}
		return values, nil
	}
	for i := range values {
		from := start.Add(time.Duration(i) * period)
		points, err := s.r.Query(ctx, name, x.ResourceName(), from, from.Add(period), allOfIt)
		if err != nil {
			return nil, err
		}
		if len(points) > 0 {
			values[i] = valueOf(&points[0], x.Stat)
		}
	}
	return values, nil
}

// allOfIt is a step so long that a query has one point at most (1970 to 2069).
const allOfIt = 100 * 365 * 24 * time.Hour

// recordedAs is the name that the series is recorded by.
func recordedAs(x spec.Series) (string, error) {
	if x.Namespace == spec.Namespace {
		return x.Metric, nil
	}
	m, ok := spec.AWSMetricOf(x.Namespace, x.Metric)
	if !ok || !m.Embedded || x.Of == spec.OfKafkaFailed || x.Of == spec.OfUndelivered { // queues that are not needed here
		return "", alarm.ErrNotMeasured
	}
	return m.Key(), nil
}

func valueOf(p *metrics.Point, s spec.Statistic) alarm.Value {
	v := alarm.Value{OK: p.Count > 0}
	switch s {
	case spec.Sum:
		v.V = p.Sum
	case spec.Average:
		v.V = p.Average()
	case spec.Minimum:
		v.V = p.Min
	case spec.Maximum:
		v.V = p.Max
	case spec.Samples:
		v.V = float64(p.Count)
	case spec.P99:
		v.V, v.OK = p.Percentile(99)
	}
	return v
}

// startAlarms opens what alarms need. What it returns evaluates them until ctx is done.
func (p *Pipeline) startAlarms(ctx context.Context) (run func(), err error) {
	r, err := OpenMetrics(ctx, p.o.Data)
	if err != nil {
		return nil, err
	}
	e, err := OpenAlarms(r, AlarmOptions{Dir: p.o.Data, Mongo: p.o.Mongo != "", Since: p.o.Now()})
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return func() {
		p.evaluate(ctx, e)
		_ = r.Close() // it was only read
	}, nil
}

// evaluate evaluates the alarms once a minute, and tells of what changed.
func (p *Pipeline) evaluate(ctx context.Context, e *alarm.Evaluator) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changes, err := e.Evaluate(ctx, p.o.Now())
		if err != nil && ctx.Err() == nil {
			p.o.Log.Error("not all alarms could be evaluated", "error", err)
		}
		if len(changes) == 0 {
			continue
		}
		for i := range changes {
			p.page(&changes[i])
		}
		if err := saveAlarms(p.o.Data, e); err != nil {
			p.o.Log.Error("the states of the alarms are not saved", "error", err)
		}
	}
}

// page is a line in the log: here nobody is called.
func (p *Pipeline) page(c *alarm.Change) {
	level := slog.LevelInfo
	switch {
	case c.To == alarm.InAlarm:
		level = slog.LevelWarn
	case c.From != alarm.InAlarm:
		return // it was not known yet, and now it is good
	}
	a, _ := spec.AlarmByName(c.Alarm)
	p.o.Log.Log(context.Background(), level, "alarm", "alarm", c.Alarm, "stage", c.Stage, "severity", c.Severity, "state", c.To,
		"meaning", a.Meaning, "run_first", a.Command)
}

// saveAlarms replaces the file in one step: a process that is killed leaves the one before.
func saveAlarms(dir string, e *alarm.Evaluator) error {
	b, err := e.Save()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, alarmsFile)
	if err := os.WriteFile(path+".new", b, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
