package deployed

import (
	"context"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/localstack/host"
)

// Await waits until a condition holds, and fails the test with why it does not when the
// time is over.
func Await(t testing.TB, what string, atMost time.Duration, holds func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), atMost)
	defer cancel()
	var why error // the last one that is not the end of the time itself
	err := host.Poll(ctx, 250*time.Millisecond, func(ctx context.Context) error {
		err := holds(ctx)
		if err != nil && ctx.Err() == nil {
			why = err
		}
		return err
	})
	if err != nil {
		t.Fatalf("%s, after %s: %v", what, atMost, why)
	}
}
