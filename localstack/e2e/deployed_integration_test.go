//go:build integration

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/localstack/harness/deployed"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// deployment is the deployed pipeline with what the tests do with it.
type deployment struct {
	*deployed.Pipeline
	millrace *deployed.Command
	store    *mongostore.Store
}

// TestIntegrationDeployed tests the deployed stacks: what is built, deployed and operated
// is what a user has. The parts run in this order, the last one takes it all away.
func TestIntegrationDeployed(t *testing.T) {
	p := deployed.Get(t)
	d := &deployment{Pipeline: p, millrace: p.Command(t)}
	var err error
	if d.store, err = p.Store(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer d.store.Close()
	for _, part := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"each flight once", d.flights},
		{"dead letters", d.deadLetters},
		{"the command line", d.commands},
		{"a change under load", d.change},
		{"nothing stops it", d.faults},
		{"destroy", d.destroy},
	} {
		begun := time.Now()
		t.Run(part.name, part.test)
		t.Logf("%-20s %s", part.name, time.Since(begun).Round(100*time.Millisecond))
	}
}

// awaitStored waits until the store has n events of a source.
func (d *deployment) awaitStored(t *testing.T, source string, n int64, atMost time.Duration) {
	t.Helper()
	deployed.Await(t, "events of "+source, atMost, func(ctx context.Context) error {
		got, err := d.store.Count(ctx, store.Filter{Source: source})
		if err == nil && got < n {
			err = fmt.Errorf("%d of %d are stored", got, n)
		}
		return err
	})
}

// awaitIdle waits until nothing is under way. Between SNS and SQS a message is not seen
// for a moment: what it sees must hold for a while.
func (d *deployment) awaitIdle(t *testing.T, atMost time.Duration) {
	t.Helper()
	const looks = 8 // 2 s
	seen := 0
	deployed.Await(t, "idle", atMost, func(ctx context.Context) error {
		if err := d.Idle(ctx); err != nil {
			seen = 0
			return err
		}
		if seen++; seen < looks {
			return fmt.Errorf("idle since %d looks", seen)
		}
		return nil
	})
}

// checkDerived recounts the counters and aggregates: an event that was counted twice, or
// not at all, would differ.
func (d *deployment) checkDerived(t *testing.T) {
	t.Helper()
	differed, err := d.store.Rebuild(t.Context())
	if err != nil || differed != 0 {
		t.Errorf("%d counters and aggregates differ from the events, %v", differed, err)
	}
}

func (d *deployment) wantDead(t *testing.T, want int) {
	t.Helper()
	if n, err := d.Dead(t.Context()); err != nil || n != want {
		t.Errorf("%d dead letters, %v; want %d", n, err, want)
	}
}
