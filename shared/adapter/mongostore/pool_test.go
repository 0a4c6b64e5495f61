package mongostore

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
)

func TestPoolWatch(t *testing.T) {
	var w poolWatch
	see := w.monitor().Event
	for _, c := range []struct {
		e    event.PoolEvent
		want int64
	}{
		{event.PoolEvent{Type: event.ConnectionCheckOutStarted}, 0},
		{event.PoolEvent{Type: event.ConnectionCheckedOut, Duration: 999 * time.Millisecond}, 0},
		{event.PoolEvent{Type: event.ConnectionCheckedOut, Duration: time.Second}, 1},
		{event.PoolEvent{Type: event.ConnectionCheckOutFailed, Reason: event.ReasonTimedOut}, 2},
		{event.PoolEvent{Type: event.ConnectionCheckOutFailed, Reason: event.ReasonConnectionErrored}, 2}, // the server is away
		{event.PoolEvent{Type: event.ConnectionClosed, Reason: event.ReasonIdle}, 2},
	} {
		see(&c.e)
		if got := w.exhausted.Load(); got != c.want {
			t.Errorf("after %s %s: %d, want %d", c.e.Type, c.e.Reason, got, c.want)
		}
	}
}
