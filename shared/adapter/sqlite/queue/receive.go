package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// redrivePerReceive is how many messages one transaction of Receive moves to the DLQ.
const redrivePerReceive = 1000

// Receive implements queue.Queue. Messages come oldest visible first, not strictly.
func (q *Queue) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Received, error) {
	if err := checkReceive(o); err != nil {
		return nil, q.wrap("receive from", err)
	}
	if o.Wait == 0 {
		msgs, _, err := q.tryReceive(ctx, o)
		return msgs, q.wrap("receive from", err)
	}
	msgs, err := q.poll(ctx, o)
	return msgs, q.wrap("receive from", err)
}

func checkReceive(o queue.ReceiveOptions) error {
	switch {
	case o.Max < 1 || o.Max > queue.MaxBatch:
		return fmt.Errorf("a maximum of %d messages is not in 1 to %d", o.Max, queue.MaxBatch)
	case o.Wait < 0 || o.Wait > queue.MaxWait:
		return fmt.Errorf("wait %v is not in 0 to %v", o.Wait, queue.MaxWait)
	case o.Visibility < 0 || o.Visibility > queue.MaxVisibility:
		return fmt.Errorf("visibility timeout %v is not in 0 to %v", o.Visibility, queue.MaxVisibility)
	}
	return nil
}

// poll receives until there is a message or the wait is over.
func (q *Queue) poll(ctx context.Context, o queue.ReceiveOptions) ([]queue.Received, error) {
	q.b.watch.enter(ctx)
	defer q.b.watch.leave()
	deadline := time.NewTimer(o.Wait)
	defer deadline.Stop()
	visible := time.NewTimer(o.Wait)
	defer visible.Stop()
	for {
		changed := q.b.watch.changed(q.id) // before looking, so that nothing is missed
		msgs, next, err := q.tryReceive(ctx, o)
		if err != nil || len(msgs) > 0 {
			return msgs, err
		}
		visible.Stop()
		if next > 0 {
			visible.Reset(next)
		}
		select {
		case <-changed:
		case <-visible.C:
		case <-deadline.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

const firstVisible = "SELECT visible FROM message INDEXED BY message_visible WHERE queue = ? ORDER BY visible LIMIT 1"

// tryReceive receives what is visible now. When that is nothing, next is the time until
// the first hidden message becomes visible, 0 if there is none.
func (q *Queue) tryReceive(ctx context.Context, o queue.ReceiveOptions) (msgs []queue.Received, next time.Duration, err error) {
	// First a look that needs no lock: an empty queue must cost its waiters nothing.
	var first int64
	if err := q.b.db.Read(ctx, func(conn *sqlite.Conn) (err error) {
		first, err = queryInt64(conn, firstVisible, q.id)
		return err
	}); err != nil || first == 0 {
		return nil, 0, err
	}
	if now := q.b.nowMicros(); first > now {
		return nil, time.Duration(first-now) * time.Microsecond, nil
	}
	t := taking{queue: q.id, max: o.Max}
	if o.Visibility > 0 {
		// At least a microsecond: a message must not be taken twice by one Receive.
		t.visibility = max(o.Visibility.Microseconds(), 1)
	}
	// Unsynced: loss of power makes the messages visible again, and they are received again.
	if err := q.b.db.WriteUnsynced(ctx, func(conn *sqlite.Conn) error { return t.run(conn, q.b.nowMicros()) }); err != nil {
		return nil, 0, err
	}
	if t.redriven > 0 {
		q.b.watch.notify(t.dlq)
	}
	return t.taken, time.Microsecond, nil // empty: what was visible went to the DLQ or to others; look again
}

// head is the part of a message that a receive changes.
type head struct {
	seq                int64
	id                 uuid.UUID
	sent, firstReceive int64
	receives, base     int64
}

// received is the message as far as its head tells.
func (h *head) received() queue.Received {
	m := queue.Received{ID: h.id.String(), ReceiveCount: int(h.receives - h.base), Sent: time.UnixMicro(h.sent)}
	if h.firstReceive > 0 {
		m.FirstReceive = time.UnixMicro(h.firstReceive)
	}
	return m
}

// taking is the transaction of a Receive.
type taking struct {
	queue      int64
	max        int
	visibility int64 // 0: the queue's own

	// Results.
	taken    []queue.Received
	redriven int
	dlq      int64
}

func (t *taking) run(conn *sqlite.Conn, now int64) error {
	t.taken, t.redriven = nil, 0
	q, err := queueByID(conn, t.queue)
	if err != nil {
		return err
	}
	if err := expire(conn, q, now); err != nil {
		return err
	}
	t.dlq = q.dlq
	if t.visibility == 0 {
		t.visibility = q.visibility
	}
	for len(t.taken) < t.max && t.redriven < redrivePerReceive {
		heads, err := visibleHeads(conn, q, now, t.max-len(t.taken))
		if err != nil || len(heads) == 0 {
			return err
		}
		for _, h := range heads {
			if q.maxReceives > 0 && h.receives-h.base >= q.maxReceives {
				err = t.redrive(conn, h, now)
			} else {
				err = t.take(conn, h, now)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

const selectVisible = `SELECT seq, id, sent, receives, base, first_receive FROM message INDEXED BY message_visible
	WHERE queue = ? AND visible <= ? AND sent > ? ORDER BY visible LIMIT ?`

func visibleHeads(conn *sqlite.Conn, q row, now int64, limit int) ([]head, error) {
	return selectHeads(conn, selectVisible, q.id, now, now-q.retention, int64(limit))
}

// selectHeads runs a query for the columns of a head.
func selectHeads(conn *sqlite.Conn, query string, args ...int64) ([]head, error) {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return nil, err
	}
	var heads []head
	err = forEach(stmt, func() {
		h := head{
			seq: stmt.ColumnInt64(0), sent: stmt.ColumnInt64(2), receives: stmt.ColumnInt64(3),
			base: stmt.ColumnInt64(4), firstReceive: stmt.ColumnInt64(5),
		}
		stmt.ColumnBytes(1, h.id[:])
		heads = append(heads, h)
	}, args...)
	return heads, err
}

func (t *taking) take(conn *sqlite.Conn, h head, now int64) error {
	h.receives++
	if h.firstReceive == 0 {
		h.firstReceive = now
	}
	if _, err := exec(conn, "UPDATE message SET visible = ?, receives = ?, first_receive = ? WHERE seq = ?",
		now+t.visibility, h.receives, h.firstReceive, h.seq); err != nil {
		return err
	}
	m := h.received()
	m.Receipt = receipt{queue: t.queue, seq: h.seq, number: h.receives}.String()
	t.taken = append(t.taken, m)
	return readContent(conn, h.seq, &t.taken[len(t.taken)-1])
}

// redrive moves a message that was received too often to the DLQ. It keeps its sent
// time, as in SQS standard queues; its receive count starts again.
func (t *taking) redrive(conn *sqlite.Conn, h head, now int64) error {
	_, err := exec(conn, "UPDATE message SET queue = ?, origin = ?, visible = ?, base = receives, first_receive = 0 WHERE seq = ?",
		t.dlq, t.queue, now, h.seq)
	t.redriven++
	return err
}

func readContent(conn *sqlite.Conn, seq int64, m *queue.Received) error {
	stmt, err := conn.Prepare("SELECT attributes, length(body) FROM content WHERE seq = ?")
	if err != nil {
		return err
	}
	stmt.BindInt64(1, seq)
	if _, err := stmt.Step(); err != nil {
		return err
	}
	if n := stmt.ColumnLen(0); n > 0 {
		if err := json.Unmarshal([]byte(stmt.ColumnText(0)), &m.Attributes); err != nil {
			return fmt.Errorf("attributes of message %s: %w", m.ID, err)
		}
	}
	m.Body = make([]byte, stmt.ColumnInt64(1))
	if err := stmt.Reset(); err != nil {
		return err
	}
	blob, err := conn.OpenBlob("", "content", "body", seq, false)
	if err != nil {
		return err
	}
	_, err = io.ReadFull(blob, m.Body)
	return errors.Join(err, blob.Close())
}
