package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/metrics"
	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/ops"
)

func (t *embeddedTarget) status(ctx context.Context, o *clusterOptions) (s statusJSON, err error) {
	if o.brokers != "" {
		return s, usageError("--kafka is for a deployed pipeline: one on this machine says itself which Kafka it reads")
	}
	switch r, err := t.running(); {
	case err == nil:
		s.Running = &r
	case !errors.Is(err, embedded.ErrNotRunning):
		return s, err
	}
	from, err := t.sources(ctx)
	if err != nil {
		return s, err
	}
	if s.Running != nil {
		c, err := o.configOf(t.env, s.Running.Kafka)
		if err != nil {
			return s, err
		}
		from.Lag = &lagger{t.kafka, c, s.Running.Group, s.Running.Topic}
	}
	s.Status = ops.ReadStatus(ctx, from)
	return s, nil
}

// sources are where the state of the pipeline is found out, its Kafka aside.
func (t *embeddedTarget) sources(ctx context.Context) (ops.StatusSources, error) {
	d, err := t.open(ctx, nil)
	if err != nil {
		return ops.StatusSources{}, err
	}
	from := ops.StatusSources{Store: d.Events, Queues: d.Queues, Browse: d.Queues, Now: t.env.now}
	if t.metrics == nil {
		reader, err := embedded.OpenMetrics(ctx, t.dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the process has recorded nothing yet
			return from, err
		}
		t.metrics = reader
	}
	if t.metrics != nil {
		from.Meter = &meter{t.metrics, t.env.now}
	}
	return from, nil
}

// meter reads the recorded metrics. It is an ops.Meter.
type meter struct {
	r   *metrics.Reader
	now func() time.Time
}

// century is a period so long that all values are in one step of it (1970 to 2069).
const century = 100 * 365 * 24 * time.Hour

func (m *meter) points(ctx context.Context, metric, stage string, since time.Time) (p metrics.Point, err error) {
	if since.IsZero() {
		return m.r.Total(ctx, metric, stage)
	}
	points, err := m.r.Query(ctx, metric, stage, since, m.now().Add(time.Minute), century)
	if err != nil || len(points) == 0 {
		return p, err
	}
	return points[0], nil
}

// Sum implements ops.Meter.
func (m *meter) Sum(ctx context.Context, metric, stage string, since time.Time) (float64, error) {
	p, err := m.points(ctx, metric, stage, since)
	return p.Sum, err
}

// Percentiles implements ops.Meter.
func (m *meter) Percentiles(ctx context.Context, metric string, since time.Time, q ...float64) ([]float64, int64, error) {
	p, err := m.points(ctx, metric, "", since)
	if err != nil || p.Count == 0 {
		return nil, 0, err
	}
	v := make([]float64, len(q))
	for i := range q {
		v[i], _ = p.Percentile(q[i])
	}
	return v, p.Count, nil
}

// kafka is a client of the cluster, kept for the next call.
func (t *embeddedTarget) kafka(ctx context.Context, c kafkaio.Config) (*kgo.Client, error) {
	if t.client != nil {
		return t.client, nil
	}
	client, err := dialForLag(ctx, c)
	t.client = client
	return client, err
}
