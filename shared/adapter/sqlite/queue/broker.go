package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/internal/db"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Options of Open. The zero value of a field means its default.
type Options struct {
	Now       func() time.Time // default time.Now
	MustExist bool             // refuse to make a new file: fs.ErrNotExist
}

const (
	// pageSize of a new file. Bodies are tens of KiB: SQLite's 4 KiB cost a fifth more
	// CPU, more than 8 KiB gains nothing and makes each small change of a row dearer.
	pageSize = 8 << 10
	// checkpointBytes: messages that come and go between two checkpoints are never copied
	// from the WAL into the file. More would save little and make a checkpoint, during
	// which writers wait, longer.
	checkpointBytes = 32 << 20
	// cacheBytes holds the pages of a transaction of maxSendBytes.
	cacheBytes = 32 << 20
)

// Broker holds the queues of one file. It implements queue.Broker and is safe for
// concurrent use; several processes may have the file open.
type Broker struct {
	db    *db.DB
	now   func() time.Time
	watch *watcher

	// Move tasks that this process runs.
	moveMu     sync.Mutex // between StartMove and Close
	moving     sync.WaitGroup
	moveCtx    context.Context
	stopMoving context.CancelFunc
}

var _ queue.Broker = (*Broker)(nil)

// Open opens the file and makes it if it is missing. The directory must exist. The errors
// say what an operator can do: the file is locked, damaged, no queue file, of a newer
// version, not readable, the disk is full.
func Open(ctx context.Context, path string, o Options) (*Broker, error) {
	d, err := db.Open(ctx, path, db.Options{
		Migrations: migrations(), ApplicationID: applicationID, MustExist: o.MustExist,
		Sync: db.SyncFull, PageSize: pageSize, CheckpointBytes: checkpointBytes, CacheBytes: cacheBytes,
	})
	if err != nil {
		return nil, err
	}
	b := &Broker{db: d, now: o.Now, watch: newWatcher(d.Version)}
	if b.now == nil {
		b.now = time.Now
	}
	b.moveCtx, b.stopMoving = context.WithCancel(context.Background())
	return b, nil
}

// Close ends the move tasks of this process (they become FAILED; what they moved stays
// moved), lets running calls end, and closes the file.
func (b *Broker) Close() error {
	b.moveMu.Lock()
	b.stopMoving()
	b.moveMu.Unlock()
	b.moving.Wait()
	err := b.db.Close()
	b.watch.notifyAll() // who waits in Receive finds the file closed
	return err
}

func (b *Broker) nowMicros() int64 { return b.now().UnixMicro() }

// Queue implements queue.Broker.
func (b *Broker) Queue(ctx context.Context, name string) (queue.Queue, error) {
	var r row
	err := b.db.Read(ctx, func(conn *sqlite.Conn) (err error) {
		r, err = queueByName(conn, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Queue{b: b, id: r.id, name: name}, nil
}

// Create implements queue.Broker. Its DLQ must exist.
func (b *Broker) Create(ctx context.Context, name string, c queue.Config) error {
	c, err := queue.CheckConfig(name, c)
	if err != nil {
		return err
	}
	return b.db.Write(ctx, func(conn *sqlite.Conn) error { return create(conn, name, c) })
}

// purgePerWrite is how many messages one transaction of Purge deletes.
const purgePerWrite = 1000

// Purge implements queue.Broker: it deletes every message that was sent before the call.
func (b *Broker) Purge(ctx context.Context, name string) error {
	var q row
	var last int64
	if err := b.db.Read(ctx, func(conn *sqlite.Conn) (err error) {
		if q, err = queueByName(conn, name); err != nil {
			return err
		}
		last, err = queryInt64(conn, "SELECT coalesce(max(seq), 0) FROM message")
		return err
	}); err != nil {
		return err
	}
	for { // in parts, so that others can write meanwhile
		var deleted int
		if err := b.db.Write(ctx, func(conn *sqlite.Conn) (err error) {
			deleted, err = deleteWhere(conn, "queue = ? AND seq <= ?", q.id, last, purgePerWrite)
			return err
		}); err != nil || deleted == 0 {
			return err
		}
	}
}

// Queue is one queue of a Broker. It implements queue.Queue.
type Queue struct {
	b    *Broker
	id   int64
	name string
}

var _ queue.Queue = (*Queue)(nil)

// wrap names the operation and the queue.
func (q *Queue) wrap(op string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%s %s: %w", op, q.name, err)
}
