package queue

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Defaults and limits of SQS (API reference, CreateQueue and SetQueueAttributes).
const (
	defaultVisibility = 30 * time.Second
	defaultRetention  = 4 * 24 * time.Hour
	minRetention      = time.Minute
	maxRetention      = 14 * 24 * time.Hour
	maxMaxReceives    = 1000
)

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// checkConfig fills in the defaults and refuses what SQS refuses.
func checkConfig(name string, c queue.Config) (queue.Config, error) {
	if c.Visibility == 0 {
		c.Visibility = defaultVisibility
	}
	if c.Retention == 0 {
		c.Retention = defaultRetention
	}
	switch {
	case !queueName.MatchString(name):
		return c, errors.New("a name has 1 to 80 letters, digits, hyphens and underscores")
	case c.Visibility < time.Microsecond || c.Visibility > queue.MaxVisibility:
		return c, fmt.Errorf("visibility timeout %v is not in 1µs to %v", c.Visibility, queue.MaxVisibility)
	case c.Delay < 0 || c.Delay > queue.MaxDelay:
		return c, fmt.Errorf("delay %v is not in 0 to %v", c.Delay, queue.MaxDelay)
	case c.Retention < minRetention || c.Retention > maxRetention:
		return c, fmt.Errorf("retention %v is not in %v to %v", c.Retention, minRetention, maxRetention)
	case (c.DLQ == "") != (c.MaxReceives == 0):
		return c, errors.New("a dead-letter queue and MaxReceives need each other")
	case c.MaxReceives < 0 || c.MaxReceives > maxMaxReceives:
		return c, fmt.Errorf("MaxReceives %d is not in 1 to %d", c.MaxReceives, maxMaxReceives)
	case c.DLQ == name:
		return c, errors.New("a queue cannot be its own dead-letter queue")
	}
	return c, nil
}

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
