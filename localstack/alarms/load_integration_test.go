//go:build integration

package alarms

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/localstack/harness/deployed"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// every calls f each time the interval has passed, until the returned function is called.
func every(t *testing.T, interval time.Duration, f func(ctx context.Context, n int) error) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if err := f(ctx, n); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		}
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// load produces so many records at once four times a second.
func (d *deployment) load(t *testing.T, size int, value func(n int) []byte) (stop func()) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(d.Kafka.Addr), kgo.DefaultProduceTopic(d.Topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return every(t, time.Second/4, func(ctx context.Context, n int) error {
		records := make([]*kgo.Record, size)
		for i := range records {
			records[i] = &kgo.Record{Value: value(n*size + i)}
		}
		return client.ProduceSync(ctx, records...).FirstErr()
	})
}

// quiet: six periods under a normal load, enough of it that rates are judged, page nobody.
// Meanwhile on-call does not run, and its own alarm, which alone does not need it, pages.
func (d *deployment) quiet(t *testing.T) {
	const perSecond, length = 60, 6 * period
	stop := d.load(t, perSecond/4, func(n int) []byte { return event("/quiet", n) })
	begun := time.Now()
	d.schedule.stop(t, spec.OnCall)
	d.fires(t, 100*time.Second, the(t, spec.OnCall, "on-call-silent")...)
	deployed.Await(t, "six quiet periods", 2*length, func(ctx context.Context) error {
		if left := length - time.Since(begun); left > 0 {
			return fmt.Errorf("they last %s more", left)
		}
		return nil
	})
	d.schedule.start(t, spec.OnCall)
	stop()
	// What is still under way when the next fault begins would be taken for that fault.
	deployed.Await(t, "the end of the load", 30*time.Second, d.Idle)
	if err := d.pager.read(t.Context()); err != nil {
		t.Error(err)
	}
	for name := range d.pager.opened() {
		if name != spec.PagerName(d.Env, spec.OnCall, spec.P1) {
			t.Errorf("%s has paged, and nothing is wrong", name)
		}
	}
	d.ends(t, nil)
	n, err := d.stored(t.Context(), "/quiet")
	if least := int64(perSecond * length.Seconds() / 2); err != nil || n < least {
		t.Errorf("%d events were stored, %v: %d are to be, so that rates are judged", n, err, least)
	}
	t.Logf("%d events in %s", n, length)
}

// stored is how many events of a source the store has.
func (d *deployment) stored(ctx context.Context, source string) (int64, error) {
	s, err := d.Store(ctx)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	return s.Count(ctx, store.Filter{Source: source})
}
