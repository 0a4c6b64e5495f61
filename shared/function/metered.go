package function

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// pooled is a store with a pool of connections.
type pooled interface {
	// PoolExhausted is how many calls have had to wait long for a connection, or got none,
	// since the store was opened.
	PoolExhausted() int64
}

// meteredStore measures the writes of all invocations of a process.
type meteredStore struct {
	store store.Writer
	now   func() time.Time

	longest atomic.Int64 // nanoseconds, since the last usage
	waits   atomic.Int64 // of the pool, at the last usage
}

// Write implements store.Writer.
func (m *meteredStore) Write(ctx context.Context, batch []event.Event) ([]store.Result, error) {
	start := m.now()
	results, err := m.store.Write(ctx, batch)
	took := int64(m.now().Sub(start))
	for {
		longest := m.longest.Load()
		if took <= longest || m.longest.CompareAndSwap(longest, took) {
			return results, err
		}
	}
}

// usage since the call before. It is a pipeline.Runner's.
func (m *meteredStore) usage() pipeline.Usage {
	u := pipeline.Usage{Longest: time.Duration(m.longest.Swap(0))}
	if p, ok := m.store.(pooled); ok {
		waits := p.PoolExhausted()
		u.Waits = max(waits-m.waits.Swap(waits), 0) // a store that was opened anew counts from 0
	}
	return u
}
