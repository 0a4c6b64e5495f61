package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

const (
	maxMoveRate = 500 // messages per second (StartMessageMoveTask)
	keepMoves   = 10  // tasks remembered per queue
	// moveSilence is how long a task's process may say nothing before it counts as ended:
	// longer than package db waits for a lock.
	moveSilence = 15 * time.Second
)

// failureGone is the failure of a task whose process ended without a word. Nobody goes on
// with it by itself: an operator who stops a redrive by killing it means it. Starting a
// new task moves the rest.
const failureGone = "the process that ran the task has ended; what it moved stays moved, start a new task for the rest"

// StartMove implements queue.Broker. The task moves the messages that are visible in the
// source when it starts, and no more than that number: a message that comes back while
// the task runs does not go round for ever. Each message moves in one transaction, its id,
// body and attributes kept, its sent time and its receive count anew (as in SQS, so that
// retention counts from the move).
//
// Without a destination, messages that were sent to the source directly cannot go back
// anywhere. The others are moved, and the task ends FAILED with their number.
func (b *Broker) StartMove(ctx context.Context, source string, o queue.MoveOptions) (queue.Move, error) {
	if o.Rate < 0 || o.Rate > maxMoveRate {
		return queue.Move{}, fmt.Errorf("move from %s: rate %d is not in 0 to %d", source, o.Rate, maxMoveRate)
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return queue.Move{}, err
	}
	m := mover{b: b, id: id.String(), rate: o.Rate}
	var started queue.Move
	if err := b.db.Write(ctx, func(conn *sqlite.Conn) (err error) {
		started, err = m.start(conn, source, o.Dest)
		return err
	}); err != nil {
		return queue.Move{}, fmt.Errorf("move from %s: %w", source, err)
	}
	b.runMove(&m)
	return started, nil
}

// runMove runs a task until it ends or the broker is closed.
func (b *Broker) runMove(m *mover) {
	b.moveMu.Lock()
	defer b.moveMu.Unlock()
	if b.moveCtx.Err() == nil { // else: Close no longer waits, and the task counts as gone
		b.moving.Go(func() { m.run(b.moveCtx) })
	}
}

func (m *mover) start(conn *sqlite.Conn, source, dest string) (queue.Move, error) {
	src, dst, err := moveEnds(conn, source, dest)
	if err != nil {
		return queue.Move{}, err
	}
	now := m.b.nowMicros()
	if err := failGone(conn, src.id, now); err != nil {
		return queue.Move{}, err
	}
	if running, err := queryInt64(conn, "SELECT 1 FROM move WHERE source = ? AND status = 'RUNNING'", src.id); err != nil || running == 1 {
		return queue.Move{}, errors.Join(err, queue.ErrMoveActive)
	}
	toMove, err := queryInt64(conn, countVisible, src.id, now, now-src.retention)
	if err != nil {
		return queue.Move{}, err
	}
	m.source, m.dest, m.left = src.id, dst.id, toMove
	if err := insertMove(conn, m, now, toMove); err != nil {
		return queue.Move{}, err
	}
	_, err = exec(conn, `DELETE FROM move WHERE source = ?1 AND rowid NOT IN
		(SELECT rowid FROM move WHERE source = ?1 ORDER BY started DESC, rowid DESC LIMIT ?2)`, src.id, keepMoves)
	return queue.Move{ID: m.id, Source: source, Dest: dest, Status: queue.MoveRunning, ToMove: int(toMove)}, err
}

// moveEnds finds both queues; dst is zero when dest is "".
func moveEnds(conn *sqlite.Conn, source, dest string) (src, dst row, err error) {
	if src, err = queueByName(conn, source); err != nil {
		return src, dst, err
	}
	if dest == "" {
		named, err := queryInt64(conn, "SELECT 1 FROM queue WHERE dlq = ? LIMIT 1", src.id)
		if err == nil && named == 0 {
			err = queue.ErrNotDLQ
		}
		return src, dst, err
	}
	if dst, err = queueByName(conn, dest); err == nil && dst.id == src.id {
		err = errors.New("source and destination are the same queue")
	}
	return src, dst, err
}

func insertMove(conn *sqlite.Conn, m *mover, now, toMove int64) error {
	stmt, err := conn.Prepare(`INSERT INTO move (id, source, dest, status, started, alive, to_move) VALUES (?, ?, ?, 'RUNNING', ?, ?, ?)`)
	if err != nil {
		return err
	}
	stmt.BindText(1, m.id)
	stmt.BindInt64(2, m.source)
	stmt.BindInt64(3, m.dest)
	stmt.BindInt64(4, now)
	stmt.BindInt64(5, now)
	stmt.BindInt64(6, toMove)
	return run(stmt)
}

// failGone ends the source's task if its process has ended.
func failGone(conn *sqlite.Conn, source, now int64) error {
	stmt, err := conn.Prepare("UPDATE move SET status = 'FAILED', failure = ? WHERE source = ? AND status = 'RUNNING' AND alive < ?")
	if err != nil {
		return err
	}
	stmt.BindText(1, failureGone)
	stmt.BindInt64(2, source)
	stmt.BindInt64(3, now-moveSilence.Microseconds())
	return run(stmt)
}

// Moves implements queue.Broker.
func (b *Broker) Moves(ctx context.Context, source string) ([]queue.Move, error) {
	var moves []queue.Move
	err := b.db.Read(ctx, func(conn *sqlite.Conn) error {
		src, err := queueByName(conn, source)
		if err != nil {
			return err
		}
		stmt, err := conn.Prepare(`SELECT m.id, coalesce(q.name, ''), m.status, m.moved, m.to_move, m.failure, m.alive
			FROM move m LEFT JOIN queue q ON q.id = m.dest WHERE m.source = ? ORDER BY m.started DESC, m.rowid DESC LIMIT ?`)
		if err != nil {
			return err
		}
		gone := b.nowMicros() - moveSilence.Microseconds()
		return forEach(stmt, func() {
			m := queue.Move{
				ID: stmt.ColumnText(0), Source: source, Dest: stmt.ColumnText(1), Status: queue.MoveStatus(stmt.ColumnText(2)),
				Moved: stmt.ColumnInt(3), ToMove: stmt.ColumnInt(4), Failure: stmt.ColumnText(5),
			}
			if m.Status == queue.MoveRunning && stmt.ColumnInt64(6) < gone {
				m.Status, m.Failure = queue.MoveFailed, failureGone
			}
			moves = append(moves, m)
		}, src.id, keepMoves)
	})
	return moves, err
}

// CancelMove implements queue.Broker. Any process may cancel any task; its process stops
// with the next message. A task that does not run is an error.
func (b *Broker) CancelMove(ctx context.Context, id string) error {
	return b.db.Write(ctx, func(conn *sqlite.Conn) error {
		n, err := endMove(conn, id, queue.MoveCancelled, "")
		if err == nil && n == 0 {
			err = fmt.Errorf("cancel move %.100q: %w", id, queue.ErrNoMove)
		}
		return err
	})
}

// endMove ends a running task and reports how many it ended, 0 or 1.
func endMove(conn *sqlite.Conn, id string, s queue.MoveStatus, failure string) (int, error) {
	stmt, err := conn.Prepare("UPDATE move SET status = ?, failure = ? WHERE id = ? AND status = 'RUNNING'")
	if err != nil {
		return 0, err
	}
	stmt.BindText(1, string(s))
	stmt.BindText(2, failure)
	stmt.BindText(3, id)
	if err := run(stmt); err != nil {
		return 0, err
	}
	return conn.Changes(), nil
}
