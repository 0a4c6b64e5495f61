package monitor

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sqlitestore "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/store"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/metric"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

var start = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

type kafkaFunc func() (KafkaHealth, error)

func (f kafkaFunc) Health(context.Context) (KafkaHealth, error) { return f() }

// measured collects what is emitted, and refuses a metric that its stage does not have.
func measured(t *testing.T, m *Monitor) (map[string]float64, error) {
	t.Helper()
	got := map[string]float64{}
	m.Emit = func(stage string, at time.Time, readings []metric.Reading) error {
		for _, r := range readings {
			if !r.Metric.Monitored || !r.Metric.EmittedBy(stage) || !at.Equal(m.Now()) {
				t.Errorf("%s of %s at %v", r.Metric.Name, stage, at)
			}
			got[stage+" "+r.Metric.Name] = r.Value
		}
		return nil
	}
	err := m.Measure(t.Context())
	return got, err
}

func openStore(t *testing.T, now func() time.Time) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"), sqlitestore.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func lease(t *testing.T, s store.Leases, id string, until time.Time) {
	t.Helper()
	e, err := event.Parse([]byte(`{"specversion":"1.0","id":"` + id + `","source":"/t","type":"t"}`))
	if err != nil {
		t.Fatal(err)
	}
	if a, _, _, err := s.Acquire(t.Context(), store.LeaseRequest{Event: e, Owner: "o", Until: until}); a != store.Granted || err != nil {
		t.Fatalf("%v %v", a, err)
	}
}

func TestMeasure(t *testing.T) {
	now := start
	s := openStore(t, func() time.Time { return now })
	lease(t, s, "running", start.Add(30*time.Hour))
	lease(t, s, "just ended", start.Add(time.Hour))
	lease(t, s, "stuck", start.Add(time.Hour-time.Millisecond))
	now = start.Add(time.Hour + spec.StuckAfter)
	m := &Monitor{Kafka: kafkaFunc(func() (KafkaHealth, error) { return KafkaHealth{Lag: 7, UnderReplicated: 2, Offline: 1}, nil }),
		Store: s, Now: func() time.Time { return now }}
	got, err := measured(t, m)
	want := map[string]float64{
		"ingest Heartbeat": 1, "ingest ConsumerLag": 7, "ingest UnderReplicatedPartitions": 2, "ingest OfflinePartitions": 1,
		"persist Heartbeat": 1, "process StuckEvents": 1,
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	for _, x := range spec.Metrics {
		for _, stage := range x.Stages {
			if _, ok := got[stage+" "+x.Name]; x.Monitored && !ok {
				t.Errorf("%s of %s is never measured", x.Name, stage)
			}
		}
	}
}

func TestSilenceIsAHeartbeatOfZero(t *testing.T) {
	s := openStore(t, time.Now)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	down := errors.New("no broker answers")
	m := &Monitor{Kafka: kafkaFunc(func() (KafkaHealth, error) { return KafkaHealth{}, down }), Store: s, Now: func() time.Time { return start }}
	got, err := measured(t, m)
	if d := cmp.Diff(map[string]float64{"ingest Heartbeat": 0, "persist Heartbeat": 0}, got); d != "" || !errors.Is(err, down) {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestWithoutKafka(t *testing.T) {
	got, err := measured(t, &Monitor{Store: openStore(t, time.Now), Now: func() time.Time { return start }})
	if d := cmp.Diff(map[string]float64{"persist Heartbeat": 1, "process StuckEvents": 0}, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}
