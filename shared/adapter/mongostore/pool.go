package mongostore

import (
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
)

// longWait for a connection: far longer than to make one. A call that waits so long waits
// for another to give its connection back.
const longWait = time.Second

// poolWatch counts what goes wrong with the pool of connections. It is safe for
// concurrent use.
type poolWatch struct{ exhausted atomic.Int64 }

func (w *poolWatch) monitor() *event.PoolMonitor { return &event.PoolMonitor{Event: w.see} }

func (w *poolWatch) see(e *event.PoolEvent) {
	switch {
	case e.Type == event.ConnectionCheckOutFailed && e.Reason == event.ReasonTimedOut,
		e.Type == event.ConnectionCheckedOut && e.Duration >= longWait:
		w.exhausted.Add(1)
	}
}

// PoolExhausted is how many calls have waited a second or longer for a connection, or
// given up waiting, since the store was opened. A server that cannot be reached is not
// counted: then no call gets as far as the pool.
func (s *Store) PoolExhausted() int64 { return s.pool.exhausted.Load() }
