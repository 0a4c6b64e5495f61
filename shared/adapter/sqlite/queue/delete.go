package queue

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Delete implements queue.Queue. Any receipt of the message since it came into this queue
// deletes it, also an old one: who got it has processed it. All receipts share one
// transaction.
func (q *Queue) Delete(ctx context.Context, receipts []string) []error {
	errs := make([]error, len(receipts))
	valid := make([]receipt, 0, len(receipts))
	for i, s := range receipts {
		r, err := q.parseReceipt(s)
		if err != nil {
			errs[i] = q.wrap("delete from", err)
			continue
		}
		valid = append(valid, r)
	}
	if len(valid) == 0 {
		return errs
	}
	err := q.b.db.Write(ctx, func(conn *sqlite.Conn) error {
		for _, r := range valid {
			if err := deleteReceived(conn, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err = q.wrap("delete from", err); err != nil {
		for i := range errs {
			if errs[i] == nil {
				errs[i] = err
			}
		}
	}
	return errs
}

func deleteReceived(conn *sqlite.Conn, r receipt) error {
	n, err := exec(conn, "DELETE FROM message WHERE seq = ? AND queue = ? AND base < ? AND receives >= ?",
		r.seq, r.queue, r.number, r.number)
	if err != nil || n == 0 {
		return err
	}
	_, err = exec(conn, "DELETE FROM content WHERE seq = ?", r.seq)
	return err
}

// ChangeVisibility implements queue.Queue. As in SQS, only a message in flight can be
// changed: queue.ErrReceipt for one that has become visible, was received again or deleted.
func (q *Queue) ChangeVisibility(ctx context.Context, s string, d time.Duration) error {
	r, err := q.parseReceipt(s)
	if err != nil {
		return q.wrap("change visibility in", err)
	}
	if d < 0 || d > queue.MaxVisibility {
		return q.wrap("change visibility in", fmt.Errorf("visibility timeout %v is not in 0 to %v", d, queue.MaxVisibility))
	}
	err = q.b.db.WriteUnsynced(ctx, func(conn *sqlite.Conn) error {
		row, err := queueByID(conn, q.id)
		if err != nil {
			return err
		}
		now := q.b.nowMicros()
		n, err := exec(conn, `UPDATE message SET visible = ?
			WHERE seq = ? AND queue = ? AND receives = ? AND base < ? AND visible > ? AND sent > ?`,
			now+d.Microseconds(), r.seq, r.queue, r.number, r.number, now, now-row.retention)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: the message is not in flight under it", queue.ErrReceipt)
		}
		return err
	})
	if err == nil {
		q.b.watch.notify(q.id)
	}
	return q.wrap("change visibility in", err)
}
