package pipeline

import (
	"context"
	"time"
)

// margin is the time kept at the end of an invocation for publishing, retries and dead
// letters; a quarter of what is left where an invocation is short.
const margin = 5 * time.Second

// stageContext ends before the invocation's deadline does, by the margin. A stage that
// looks at its context's deadline therefore stops early enough (rule 6).
func stageContext(ctx context.Context, now time.Time) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	keep := min(margin, deadline.Sub(now)/4)
	return context.WithDeadlineCause(ctx, deadline.Add(-max(keep, 0)), errStopped)
}

type requestIDKey struct{}

func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID is the id of the invocation that a stage works for, the owner of its leases.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
