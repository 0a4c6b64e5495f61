package queue

import (
	"context"

	"zombiezen.com/go/sqlite"
)

// ReleaseInFlight makes messages that were received and are still hidden visible at
// once, and returns how many. It is for a process that knows that whoever received them
// is gone, since it holds the lock of the data directory. SQS has no such call: there
// the visibility timeout must end. Receive counts stay.
func (b *Broker) ReleaseInFlight(ctx context.Context, queues ...string) (released int, err error) {
	ids := make([]int64, 0, len(queues))
	err = b.db.Write(ctx, func(conn *sqlite.Conn) error {
		released, ids = 0, ids[:0]
		now := b.nowMicros()
		for _, name := range queues {
			q, err := queueByName(conn, name)
			if err != nil {
				return err
			}
			n, err := exec(conn, "UPDATE message SET visible = ? WHERE queue = ? AND visible > ? AND receives > base", now, q.id, now)
			if err != nil {
				return err
			}
			released += n
			ids = append(ids, q.id)
		}
		return nil
	})
	for _, id := range ids {
		b.watch.notify(id)
	}
	return released, err
}
