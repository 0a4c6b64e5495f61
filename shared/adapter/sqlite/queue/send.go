package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

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
	if err := check(m); err != nil {
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

// attributeName and reservedName are the names that SQS takes and keeps to itself
// (Amazon SQS Developer Guide, Message attribute components).
var attributeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

const maxAttributeName = 256

func reservedName(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "aws.") || strings.HasPrefix(name, "amazon.")
}

// stringType is counted into a message's size, as SQS counts an attribute's type.
const stringType = "String"

// check refuses what SQS refuses.
func check(m *queue.Message) error {
	size := len(m.Body)
	for name, value := range m.Attributes {
		size += len(name) + len(stringType) + len(value)
	}
	switch {
	case size > queue.MaxMessageBytes:
		return fmt.Errorf("%w: it has %d bytes", queue.ErrTooLarge, size)
	case !queue.IsText(m.Body):
		return fmt.Errorf("%w: the body is empty or has characters that SQS does not take", queue.ErrInvalid)
	case m.Delay < 0 || m.Delay > queue.MaxDelay:
		return fmt.Errorf("%w: delay %v is not in 0 to %v", queue.ErrInvalid, m.Delay, queue.MaxDelay)
	case len(m.Attributes) > queue.MaxAttributes:
		return fmt.Errorf("%w: it has %d attributes, at most %d are allowed", queue.ErrInvalid, len(m.Attributes), queue.MaxAttributes)
	}
	for name, value := range m.Attributes {
		if len(name) > maxAttributeName || !attributeName.MatchString(name) || reservedName(name) {
			return fmt.Errorf("%w: attribute name %q", queue.ErrInvalid, name)
		}
		if !queue.IsText([]byte(value)) {
			return fmt.Errorf("%w: attribute %s is empty or has characters that SQS does not take", queue.ErrInvalid, name)
		}
	}
	return nil
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
