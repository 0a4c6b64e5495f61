package queue

import (
	"context"
	"fmt"

	"golang.org/x/time/rate"
	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// movePerWrite is how many messages a task without a rate moves in one transaction.
const movePerWrite = 100

// mover runs one message-move task.
type mover struct {
	b            *Broker
	id           string
	source, dest int64 // dest 0: each message to its origin
	rate         int   // messages per second; 0: no limit
	left         int64 // messages that it may still move
}

// run moves until the task ends, is cancelled, or the broker closes.
func (m *mover) run(ctx context.Context) {
	// Ten steps a second, so that the rate is even and a cancellation is soon seen.
	step, limit := movePerWrite, rate.NewLimiter(rate.Inf, 0)
	if m.rate > 0 {
		step = max(m.rate/10, 1)
		limit = rate.NewLimiter(rate.Limit(m.rate), step)
	}
	for {
		if err := limit.WaitN(ctx, step); err != nil {
			break
		}
		done, err := m.step(ctx, step)
		if err != nil && ctx.Err() == nil {
			m.fail(err.Error())
			return
		}
		if done {
			return
		}
		if ctx.Err() != nil {
			break
		}
	}
	m.fail("the process that ran the task was stopped; what it moved stays moved, start a new task for the rest")
}

// fail ends the task. Should that fail too, the task counts as gone after moveSilence.
func (m *mover) fail(reason string) {
	ctx, cancel := context.WithTimeout(context.Background(), moveSilence)
	defer cancel()
	_ = m.b.db.Write(ctx, func(conn *sqlite.Conn) error {
		_, err := endMove(conn, m.id, queue.MoveFailed, reason)
		return err
	})
}

// step moves up to n messages in one transaction and reports whether the task has ended.
func (m *mover) step(ctx context.Context, n int) (done bool, err error) {
	var moved []movable
	err = m.b.db.Write(ctx, func(conn *sqlite.Conn) (err error) {
		moved, done, err = m.stepTx(conn, int64(n))
		return err
	})
	if err != nil {
		return false, err
	}
	m.left -= int64(len(moved))
	for _, msg := range moved {
		m.b.watch.notify(msg.dest)
	}
	return done, nil
}

func (m *mover) stepTx(conn *sqlite.Conn, n int64) (moved []movable, done bool, err error) {
	now := m.b.nowMicros()
	if running, err := m.touch(conn, now); err != nil || !running {
		return nil, true, err
	}
	src, err := queueByID(conn, m.source)
	if err != nil {
		return nil, false, err
	}
	if moved, err = m.next(conn, src, now, min(n, m.left)); err != nil {
		return nil, false, err
	}
	for _, msg := range moved {
		if err := moveMessage(conn, msg, now); err != nil {
			return nil, false, err
		}
	}
	if err := m.count(conn, len(moved)); err != nil {
		return nil, false, err
	}
	if int64(len(moved)) == min(n, m.left) && int64(len(moved)) < m.left {
		return moved, false, nil
	}
	return moved, true, m.finish(conn, src, now)
}

// touch says that the task's process lives, and reports whether the task still runs.
func (m *mover) touch(conn *sqlite.Conn, now int64) (running bool, err error) {
	stmt, err := conn.Prepare("UPDATE move SET alive = ? WHERE id = ? AND status = 'RUNNING'")
	if err != nil {
		return false, err
	}
	stmt.BindInt64(1, now)
	stmt.BindText(2, m.id)
	if err := run(stmt); err != nil {
		return false, err
	}
	return conn.Changes() == 1, nil
}

// movable is a message and where it goes.
type movable struct{ seq, dest int64 }

const selectMovable = `SELECT seq, CASE WHEN ?4 > 0 THEN ?4 ELSE origin END FROM message INDEXED BY message_visible
	WHERE queue = ?1 AND visible <= ?2 AND sent > ?3 AND (?4 > 0 OR origin > 0) ORDER BY visible LIMIT ?5`

func (m *mover) next(conn *sqlite.Conn, src row, now, limit int64) ([]movable, error) {
	stmt, err := conn.Prepare(selectMovable)
	if err != nil {
		return nil, err
	}
	var msgs []movable
	err = forEach(stmt, func() {
		msgs = append(msgs, movable{stmt.ColumnInt64(0), stmt.ColumnInt64(1)})
	}, src.id, now, now-src.retention, m.dest, limit)
	return msgs, err
}

func moveMessage(conn *sqlite.Conn, msg movable, now int64) error {
	_, err := exec(conn, "UPDATE message SET queue = ?, origin = 0, sent = ?, visible = ?, base = receives, first_receive = 0 WHERE seq = ?",
		msg.dest, now, now, msg.seq)
	return err
}

func (m *mover) count(conn *sqlite.Conn, moved int) error {
	stmt, err := conn.Prepare("UPDATE move SET moved = moved + ? WHERE id = ?")
	if err != nil {
		return err
	}
	stmt.BindInt64(1, int64(moved))
	stmt.BindText(2, m.id)
	return run(stmt)
}

const countHomeless = `SELECT count(*) FROM message INDEXED BY message_visible WHERE queue = ? AND visible <= ? AND sent > ? AND origin = 0`

// finish ends a task that has nothing more to move.
func (m *mover) finish(conn *sqlite.Conn, src row, now int64) error {
	status, failure := queue.MoveCompleted, ""
	if m.dest == 0 {
		n, err := queryInt64(conn, countHomeless, src.id, now, now-src.retention)
		if err != nil {
			return err
		}
		if n > 0 {
			status = queue.MoveFailed
			failure = fmt.Sprintf("%d messages were sent to %s directly and have no source queue to go back to: name a destination", n, src.name)
		}
	}
	_, err := endMove(conn, m.id, status, failure)
	return err
}
