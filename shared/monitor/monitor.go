// Package monitor measures what no invocation can: whether the dependencies answer, how
// far ingest is behind Kafka, and events that are stuck. Its metrics are those of package
// spec with Monitored set; alarms treat their absence as a failure.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace-pipeline/millrace/shared/metric"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Kafka is the topic that ingest reads.
type Kafka interface {
	Health(ctx context.Context) (KafkaHealth, error)
}

// KafkaHealth of a topic and of the consumer group that reads it.
type KafkaHealth struct {
	Lag             int64 // records that the group has not committed
	UnderReplicated int64 // partitions with fewer replicas in sync than they have
	Offline         int64 // partitions without a leader
}

// Store is what is asked of the event store; store.Store has it.
type Store interface {
	Check(ctx context.Context) error
	List(ctx context.Context, f store.Filter, limit int, cursor string) (store.Page, error)
}

// Monitor measures. Its fields are set once, before the first Measure.
type Monitor struct {
	Kafka Kafka // nil: there is none
	Store Store
	// Emit records readings of a stage.
	Emit func(stage string, at time.Time, readings []metric.Reading) error
	Now  func() time.Time
}

// within bounds one probe: one that takes longer is as good as no answer, and the next
// round must not have to wait for it.
const within = 10 * time.Second

// Measure probes everything once and emits what it found. A dependency that does not
// answer is a heartbeat of 0. The error says why, for the log; what could be measured is
// emitted all the same.
func (m *Monitor) Measure(ctx context.Context) error {
	var errs []error
	if m.Kafka != nil {
		errs = append(errs, m.kafka(ctx))
	}
	return errors.Join(append(errs, m.store(ctx), m.stuck(ctx))...)
}

func (m *Monitor) kafka(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	h, err := m.Kafka.Health(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("kafka: %w", err), m.emit(spec.Ingest, reading(spec.Heartbeat, 0)))
	}
	return m.emit(spec.Ingest, reading(spec.Heartbeat, 1), reading(spec.ConsumerLag, h.Lag),
		reading(spec.UnderReplicatedPartitions, h.UnderReplicated), reading(spec.OfflinePartitions, h.Offline))
}

func (m *Monitor) store(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := m.Store.Check(ctx); err != nil {
		return errors.Join(fmt.Errorf("event store: %w", err), m.emit(spec.Persist, reading(spec.Heartbeat, 0)))
	}
	return m.emit(spec.Persist, reading(spec.Heartbeat, 1))
}

// Bounds of the search for stuck events: beyond them the number is a lower bound, and by
// then the alarm has long fired.
const (
	stuckPage  = 500
	stuckPages = 20
)

func (m *Monitor) stuck(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ended := m.Now().Add(-spec.StuckAfter)
	var n int64
	cursor := ""
	for range stuckPages {
		page, err := m.Store.List(ctx, store.Filter{Status: store.Processing}, stuckPage, cursor)
		if err != nil {
			return fmt.Errorf("stuck events: %w", err)
		}
		for i := range page.Records {
			if l := page.Records[i].Lease; l != nil && l.Until.Before(ended) {
				n++
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	return m.emit(spec.Process, reading(spec.StuckEvents, n))
}

func (m *Monitor) emit(stage string, readings ...metric.Reading) error {
	return m.Emit(stage, m.Now(), readings)
}

func reading(name string, v int64) metric.Reading {
	for i := range spec.Metrics {
		if spec.Metrics[i].Name == name {
			return metric.Reading{Metric: &spec.Metrics[i], Value: float64(v)}
		}
	}
	panic("monitor: there is no metric " + name) // a constant of package spec: the tests would see it
}
