package queue

import (
	"context"

	"zombiezen.com/go/sqlite"
)

// ReleaseInFlight makes messages that were received and are still hidden visible at
// once, as if that receive had not been, and returns how many. It is for a process that
// knows that whoever received them is gone, since it holds the lock of the data
// directory: being killed is not the message's fault, and a message that is under way at
// every one of a dozen kills must not end in the dead-letter queue. SQS has no such call:
// there the visibility timeout must end.
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
			n, err := exec(conn, "UPDATE message SET visible = ?, base = base + 1 WHERE queue = ? AND visible > ? AND receives > base", now, q.id, now)
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
