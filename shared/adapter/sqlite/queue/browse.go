package queue

import (
	"context"
	"iter"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// browsePage is how many messages one read transaction of Browse looks at.
const browsePage = 100

// Browse yields the messages of a queue by the time they were sent, oldest first, those
// that are hidden included, and leaves them as they are: no receive is counted, nothing
// is hidden. Receipts are empty. A message that comes or goes meanwhile may be missing.
// SQS has no such call.
func (b *Broker) Browse(ctx context.Context, name string) iter.Seq2[queue.Received, error] {
	return func(yield func(queue.Received, error) bool) {
		opened, err := b.Queue(ctx, name)
		if err != nil {
			yield(queue.Received{}, err)
			return
		}
		q := opened.(*Queue)
		for last := (head{}); ; {
			heads, msgs, err := q.pageAfter(ctx, last)
			if err != nil {
				yield(queue.Received{}, q.wrap("browse", err))
				return
			}
			for _, m := range msgs {
				if !yield(m, nil) {
					return
				}
			}
			if len(heads) < browsePage {
				return
			}
			last = heads[len(heads)-1]
		}
	}
}

const selectAfter = `SELECT seq, id, sent, receives, base, first_receive FROM message INDEXED BY message_sent
	WHERE queue = ? AND sent > ? AND (sent, seq) > (?, ?) ORDER BY sent, seq LIMIT ?`

// pageAfter is the next page of messages that have not expired.
func (q *Queue) pageAfter(ctx context.Context, last head) (heads []head, msgs []queue.Received, err error) {
	err = q.b.db.Read(ctx, func(conn *sqlite.Conn) error {
		r, err := queueByID(conn, q.id)
		if err != nil {
			return err
		}
		heads, err = selectHeads(conn, selectAfter, q.id, q.b.nowMicros()-r.retention, last.sent, last.seq, browsePage)
		msgs = make([]queue.Received, len(heads))
		for i := range heads {
			if err == nil {
				msgs[i] = heads[i].received()
				err = readContent(conn, heads[i].seq, &msgs[i])
			}
		}
		return err
	})
	return heads, msgs, err
}
