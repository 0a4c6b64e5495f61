//go:build integration

package alarms

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	cloudevent "github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// badEvents: most events of a producer are none, an effect died an hour ago, messages lie
// in queues that must be empty, and dlq-redrive is asked for what it does not know.
func (d *deployment) badEvents(t *testing.T) {
	// It would take away what lies in process-undelivered and persist-undelivered.
	d.schedule.stop(t, spec.Redrive)
	stop := d.load(t, 8, func(n int) []byte {
		if n%4 == 0 {
			return event("/bad", n)
		}
		return fmt.Appendf(nil, "%d is no event", n)
	})
	d.stuck(t)
	left := []string{"process-undelivered", "persist-undelivered", "on-call-dlq"}
	for _, queue := range left {
		d.send(t, queue, "it lies there")
	}
	redrive := d.Function(spec.Redrive)
	fails := every(t, tick, func(ctx context.Context, _ int) error {
		if answer, err := redrive.Invoke(ctx, []byte(`{"stage":"no such stage"}`)); err == nil {
			return fmt.Errorf("dlq-redrive answers %s", answer)
		}
		return nil
	})
	d.fires(t, 90*time.Second, slices.Concat(
		the(t, spec.Ingest, "error-rate-critical", "delivery", "error-rate-elevated", "error-rate-warning"),
		the(t, spec.Process, "stuck-events", "undelivered"),
		the(t, spec.Persist, "undelivered"),
		the(t, spec.Redrive, "function-errors"),
		the(t, spec.OnCall, "on-call-undelivered"),
	)...)
	stop()
	fails()
	d.unstick(t)
	d.schedule.start(t, spec.Redrive)
	for _, queue := range append(left, "ingest-dlq") {
		if err := d.Broker().Purge(t.Context(), queue); err != nil {
			t.Fatal(err)
		}
	}
	// Rates are those of what goes on: that nothing comes any more is not what ends them.
	stop = d.load(t, 15, func(n int) []byte { return event("/better", n) })
	d.ends(t, nil)
	stop()
}

// stuckID is the id of the event whose effect died.
const stuckID = "stuck"

// stuck takes a lease that has ended long ago, as an invocation that died has left it.
func (d *deployment) stuck(t *testing.T) {
	t.Helper()
	s, err := d.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e, err := cloudevent.Parse([]byte(`{"specversion":"1.0","id":"` + stuckID + `","source":"/bad","type":"com.example.effect"}`))
	if err != nil {
		t.Fatal(err)
	}
	r := store.LeaseRequest{Event: e, Owner: "an invocation that died", Until: time.Now().Add(-2 * spec.StuckAfter)}
	if a, _, _, err := s.Acquire(t.Context(), r); err != nil || a != store.Granted {
		t.Fatalf("lease: %v, %v", a, err)
	}
}

// unstick lets the effect be begun again.
func (d *deployment) unstick(t *testing.T) {
	t.Helper()
	s, err := d.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if keys, err := s.Reset(t.Context(), store.Filter{Source: "/bad"}, time.Now(), 10); err != nil || len(keys) != 1 {
		t.Fatalf("reset %v, %v", keys, err)
	}
}
