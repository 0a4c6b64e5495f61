package queue

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Depths implements queue.Broker. The numbers are exact and of one moment.
func (b *Broker) Depths(ctx context.Context, names ...string) (map[string]queue.Depth, error) {
	depths := make(map[string]queue.Depth)
	err := b.db.Read(ctx, func(conn *sqlite.Conn) error {
		queues, err := selectQueues(conn, names)
		if err != nil {
			return err
		}
		now := b.nowMicros()
		for _, q := range queues {
			if depths[q.name], err = depth(conn, q, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return depths, nil
}

// selectQueues returns the named queues, all when none is named.
func selectQueues(conn *sqlite.Conn, names []string) ([]row, error) {
	var queues []row
	for _, name := range names {
		q, err := queueByName(conn, name)
		if err != nil {
			return nil, err
		}
		queues = append(queues, q)
	}
	if len(names) > 0 {
		return queues, nil
	}
	stmt, err := conn.Prepare(rowColumns)
	if err != nil {
		return nil, err
	}
	err = forEach(stmt, func() { queues = append(queues, scanRow(stmt)) })
	return queues, err
}

// Each count reads the index alone, or as few rows as there are hidden or expired messages.
const (
	countVisible = `SELECT
		(SELECT count(*) FROM message INDEXED BY message_visible WHERE queue = ?1 AND visible <= ?2) -
		(SELECT count(*) FROM message INDEXED BY message_sent WHERE queue = ?1 AND sent <= ?3 AND visible <= ?2)`
	countHidden = `SELECT count(*) FROM message INDEXED BY message_visible
		WHERE queue = ?1 AND visible > ?2 AND sent > ?3 AND (receives > base) = ?4`
	oldestSent = `SELECT sent FROM message INDEXED BY message_sent WHERE queue = ?1 AND sent > ?2 ORDER BY sent LIMIT 1`
)

func depth(conn *sqlite.Conn, q row, now int64) (d queue.Depth, err error) {
	expired := now - q.retention
	count := func(query string, args ...int64) int {
		var n int64
		if err == nil {
			n, err = queryInt64(conn, query, args...)
		}
		return int(n)
	}
	d.Visible = count(countVisible, q.id, now, expired)
	d.InFlight = count(countHidden, q.id, now, expired, 1)
	d.Delayed = count(countHidden, q.id, now, expired, 0)
	if sent := count(oldestSent, q.id, expired); sent > 0 {
		d.Oldest = max(time.Duration(now-int64(sent))*time.Microsecond, 0)
	}
	return d, err
}
