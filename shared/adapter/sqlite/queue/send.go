package queue

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

const (
	// maxSendBytes and maxSendMessages bound one transaction of Send.
	maxSendBytes    = 16 << 20
	maxSendMessages = 1000
)

// Send implements queue.Queue. Messages of one call share a transaction, up to 1,000 of
// them or 16 MiB: they fail or become durable together.
func (q *Queue) Send(ctx context.Context, msgs []queue.Message) []error {
	errs := make([]error, len(msgs))
	var batch []*outgoing
	var bytes int
	flush := func() {
		if len(batch) == 0 {
			return
		}
		if err := q.wrap("send to", q.insert(ctx, batch)); err != nil {
			for _, m := range batch {
				errs[m.index] = err
			}
		}
		batch, bytes = nil, 0
	}
	for i := range msgs {
		m, err := newOutgoing(i, &msgs[i])
		if err != nil {
			errs[i] = q.wrap("send to", err)
			continue
		}
		if len(batch) == maxSendMessages || bytes+len(m.Body) > maxSendBytes {
			flush()
		}
		batch, bytes = append(batch, m), bytes+len(m.Body)
	}
	flush()
	return errs
}

// outgoing is a message that may be sent.
type outgoing struct {
	*queue.Message
	index      int // in Send's messages
	id         uuid.UUID
	attributes []byte // JSON; nil: none
}

func newOutgoing(index int, m *queue.Message) (*outgoing, error) {
	if err := queue.Check(m); err != nil {
		return nil, err
	}
	out := &outgoing{Message: m, index: index}
	var err error
	if out.id, err = uuid.NewRandom(); err != nil {
		return nil, err
	}
	if len(m.Attributes) > 0 {
		out.attributes, err = json.Marshal(m.Attributes)
	}
	return out, err
}

func (q *Queue) insert(ctx context.Context, batch []*outgoing) error {
	err := q.b.db.Write(ctx, func(conn *sqlite.Conn) error {
		r, err := queueByID(conn, q.id)
		if err != nil {
			return err
		}
		now := q.b.nowMicros()
		if err := expire(conn, r, now); err != nil {
			return err
		}
		for _, m := range batch {
			delay := r.delay
			if m.Delay > 0 {
				delay = m.Delay.Microseconds()
			}
			if err := insertMessage(conn, q.id, m, now, now+delay); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		q.b.watch.notify(q.id)
	}
	return err
}

func insertMessage(conn *sqlite.Conn, queueID int64, m *outgoing, sent, visible int64) error {
	stmt, err := conn.Prepare("INSERT INTO message (queue, id, sent, visible) VALUES (?, ?, ?, ?)")
	if err != nil {
		return err
	}
	stmt.BindInt64(1, queueID)
	stmt.BindBytes(2, m.id[:])
	stmt.BindInt64(3, sent)
	stmt.BindInt64(4, visible)
	if err := run(stmt); err != nil {
		return err
	}
	return insertContent(conn, conn.LastInsertRowID(), m)
}

// insertContent makes room for the body, as the last column so that SQLite does not build
// the zeros in memory, and then fills it: binding the body copies it byte by byte and
// allocates it twice, which costs more than everything else in a Send.
func insertContent(conn *sqlite.Conn, seq int64, m *outgoing) error {
	stmt, err := conn.Prepare("INSERT INTO content (seq, attributes, body) VALUES (?, ?, zeroblob(?))")
	if err != nil {
		return err
	}
	stmt.BindInt64(1, seq)
	stmt.BindNull(2)
	if m.attributes != nil {
		stmt.BindText(2, string(m.attributes))
	}
	stmt.BindInt64(3, int64(len(m.Body)))
	if err := run(stmt); err != nil {
		return err
	}
	blob, err := conn.OpenBlob("", "content", "body", seq, true)
	if err != nil {
		return err
	}
	_, err = blob.Write(m.Body)
	return errors.Join(err, blob.Close())
}
