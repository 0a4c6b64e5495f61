package queue

import (
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

func create(conn *sqlite.Conn, name string, c queue.Config) error {
	stmt, err := conn.Prepare(`
		INSERT INTO queue (name, visibility, delay, retention, dlq, max_receives) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET visibility = excluded.visibility, delay = excluded.delay,
			retention = excluded.retention, dlq = excluded.dlq, max_receives = excluded.max_receives`)
	if err != nil {
		return err
	}
	stmt.BindText(1, name)
	stmt.BindInt64(2, c.Visibility.Microseconds())
	stmt.BindInt64(3, c.Delay.Microseconds())
	stmt.BindInt64(4, c.Retention.Microseconds())
	stmt.BindNull(5)
	if c.DLQ != "" {
		dlq, err := queueByName(conn, c.DLQ)
		if err != nil {
			return fmt.Errorf("create queue %q: dead-letter %w", name, err)
		}
		stmt.BindInt64(5, dlq.id)
	}
	stmt.BindInt64(6, int64(c.MaxReceives))
	return run(stmt)
}

// row is a row of table queue; durations in microseconds.
type row struct {
	id                           int64
	name                         string
	visibility, delay, retention int64
	dlq                          int64 // 0: none
	maxReceives                  int64
}

const rowColumns = "SELECT id, name, visibility, delay, retention, coalesce(dlq, 0), max_receives FROM queue"

func scanRow(stmt *sqlite.Stmt) row {
	return row{
		id: stmt.ColumnInt64(0), name: stmt.ColumnText(1),
		visibility: stmt.ColumnInt64(2), delay: stmt.ColumnInt64(3), retention: stmt.ColumnInt64(4),
		dlq: stmt.ColumnInt64(5), maxReceives: stmt.ColumnInt64(6),
	}
}

func queueByName(conn *sqlite.Conn, name string) (row, error) {
	stmt, err := conn.Prepare(rowColumns + " WHERE name = ?")
	if err != nil {
		return row{}, err
	}
	stmt.BindText(1, name)
	return oneRow(stmt, name)
}

func queueByID(conn *sqlite.Conn, id int64) (row, error) {
	stmt, err := conn.Prepare(rowColumns + " WHERE id = ?")
	if err != nil {
		return row{}, err
	}
	stmt.BindInt64(1, id)
	return oneRow(stmt, fmt.Sprint(id))
}

func oneRow(stmt *sqlite.Stmt, name string) (row, error) {
	found, err := stmt.Step()
	if err != nil {
		return row{}, err
	}
	if !found {
		return row{}, fmt.Errorf("queue %q: %w", name, queue.ErrNoQueue)
	}
	r := scanRow(stmt)
	return r, stmt.Reset()
}
