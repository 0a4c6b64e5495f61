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

// status is where the state of the pipeline is found out, its Kafka aside.
func (t *target) status(ctx context.Context, now func() time.Time) (ops.StatusSources, error) {
	d, err := t.open(ctx)
	if err != nil {
		return ops.StatusSources{}, err
	}
	from := ops.StatusSources{Store: d.Events, Queues: d.Queues, Browse: d.Queues, Now: now}
	if t.metrics == nil {
		reader, err := embedded.OpenMetrics(ctx, t.dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the process has recorded nothing yet
			return from, err
		}
		t.metrics = reader
	}
	if t.metrics != nil {
		from.Meter = &meter{t.metrics, now}
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

// lagger asks the running process's Kafka. It is an ops.Lagger.
type lagger struct {
	t      *target
	config kafkaio.Config
	group  string
	topic  string
}

// Lag implements ops.Lagger.
func (l *lagger) Lag(ctx context.Context) (int64, error) {
	client, err := l.t.kafka(ctx, l.config)
	if err != nil {
		return 0, err
	}
	partitions, err := kafkaio.Lag(ctx, client, l.group, l.topic)
	var sum int64
	for _, p := range partitions {
		sum += p.Lag
	}
	return sum, err
}

// kafka is a client of the cluster, kept for the next call.
func (t *target) kafka(ctx context.Context, c kafkaio.Config) (*kgo.Client, error) {
	if t.client != nil {
		return t.client, nil
	}
	c.ClientID = "millrace-status"
	client, err := kafkaio.Dial(ctx, &c)
	if err != nil {
		return nil, err
	}
	t.client = client
	return client, nil
}
