package db

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
)

const (
	// maxGroup is the most calls of Write that share one transaction.
	maxGroup = 64
	// lockPoll is how often a waiting writer asks for another process's lock.
	lockPoll = time.Millisecond
	// holdMax and holdPause: SQLite's lock has no queue, and beside a process that
	// writes without a pause one that waits would starve. So after holdMax of
	// transactions without a pause the writer leaves the lock free for holdPause, a few
	// polls long. Calls that come meanwhile form a larger group, so little is lost.
	holdMax   = 50 * time.Millisecond
	holdPause = 3 * time.Millisecond
)

// Write runs fn in a write transaction (BEGIN IMMEDIATE) and commits it. When Write
// returns nil, what fn wrote is durable as Options.Sync says. When fn returns an error
// or panics, what it wrote is undone and Write returns the error or panics.
//
// Calls that wait at the same time share one transaction. If one of them fails, the
// transaction is undone and the others run again without it. So fn may run more than
// once, only its last run counts, and it starts its results anew each time. It runs on
// another goroutine, must not keep conn or a statement of it, begin or end a
// transaction, or call Write.
//
// When ctx is done before fn ran to its end, nothing is written and Write returns ctx's
// error. Once fn has run, the commit is not given up.
func (d *DB) Write(ctx context.Context, fn func(conn *sqlite.Conn) error) error {
	return d.write(&job{ctx: ctx, fn: fn, sync: d.opts.Sync})
}

// WriteUnsynced is Write for what may be undone by loss of power, as with SyncNormal. The
// next synced commit makes it durable too. A transaction of such calls alone costs no fsync.
func (d *DB) WriteUnsynced(ctx context.Context, fn func(conn *sqlite.Conn) error) error {
	return d.write(&job{ctx: ctx, fn: fn, sync: SyncNormal})
}

func (d *DB) write(j *job) error {
	ctx := j.ctx
	if err := ctx.Err(); err != nil {
		return err
	}
	j.done = make(chan struct{})
	if !d.writer.submit(j) {
		return ErrClosed
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, abandoned) {
			return ctx.Err()
		}
		<-j.done
	}
	if j.panic != nil {
		panic(fmt.Sprintf("%v\n\nin a function passed to db.Write:\n%s", j.panic, j.stack))
	}
	return d.translate(ctx, "write", j.err)
}

const (
	waiting   int32 = iota // nobody has run it: its caller may give it up
	taken                  // the writer runs it: its caller waits for done
	abandoned              // its caller has gone
)

// job is one call of Write.
type job struct {
	ctx   context.Context
	fn    func(*sqlite.Conn) error
	sync  Sync
	state atomic.Int32
	done  chan struct{} // closed when err and panic are set for good

	err   error
	panic any
	stack []byte
}

func (j *job) take() bool {
	return j.state.CompareAndSwap(waiting, taken) || j.state.Load() == taken
}

// writer owns the one connection that writes.
type writer struct {
	db   *DB
	conn *sqlite.Conn
	sync Sync // of the connection now

	mu      sync.Mutex
	pending []*job
	closed  bool
	wake    chan struct{} // holds a token when pending or closed changed
	stopped chan struct{}

	checkpoint checkpointer
}

func startWriter(d *DB, conn *sqlite.Conn) *writer {
	conn.SetBusyTimeout(0) // begin waits in Go, where callers can give up
	w := &writer{
		db: d, conn: conn, sync: d.opts.Sync,
		wake: make(chan struct{}, 1), stopped: make(chan struct{}),
		checkpoint: checkpointer{db: d},
	}
	go w.loop()
	return w
}

func (w *writer) submit(j *job) bool {
	w.mu.Lock()
	closed := w.closed
	if !closed {
		w.pending = append(w.pending, j)
	}
	w.mu.Unlock()
	if closed {
		return false
	}
	w.signal()
	return true
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// stop runs what is pending, ends the goroutine and hands the connection back.
func (w *writer) stop() *sqlite.Conn {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.signal()
	<-w.stopped
	return w.conn
}

func (w *writer) next() (group []*job, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.pending), maxGroup)
	group = append(group, w.pending[:n]...)
	clear(w.pending[:n])
	w.pending = w.pending[n:]
	if len(w.pending) == 0 {
		w.pending = nil
	}
	return group, w.closed
}

func (w *writer) loop() {
	defer close(w.stopped)
	busySince := time.Now()
	for {
		group, closed := w.next()
		if len(group) == 0 {
			if closed {
				return
			}
			<-w.wake
			busySince = time.Now()
			continue
		}
		w.run(group)
		w.checkpoint.after(w.conn)
		if time.Since(busySince) > holdMax {
			time.Sleep(holdPause)
			busySince = time.Now()
		}
	}
}

// run takes the group through a transaction. When a job fails, the others start again
// without it.
func (w *writer) run(group []*job) {
	for len(group) > 0 {
		err := w.begin(group)
		if err == nil {
			var failed *job
			if group, failed = w.apply(group); failed != nil {
				w.rollback()
				close(failed.done)
				continue
			}
			err = w.commit()
		}
		for _, j := range group {
			j.err = err
			close(j.done)
		}
		return
	}
}

// begin takes the file's write lock, waiting for other processes up to Options.Busy.
func (w *writer) begin(group []*job) error {
	if err := w.setSync(group); err != nil {
		return err
	}
	for deadline := time.Now().Add(w.db.opts.Busy); ; {
		err := execCached(w.conn, "BEGIN IMMEDIATE")
		if !isBusy(err) || time.Now().After(deadline) || allGone(group) {
			return err
		}
		time.Sleep(lockPoll)
	}
}

// setSync sets when the coming commit reaches the disk: as the strictest job asks.
func (w *writer) setSync(group []*job) error {
	sync := SyncNormal
	for _, j := range group {
		if j.sync == SyncFull {
			sync = SyncFull
		}
	}
	if sync == w.sync {
		return nil
	}
	// Prepared anew each time: SQLite sets it when the statement is prepared, not when it runs.
	err := exec(w.conn, "PRAGMA synchronous = "+string(sync))
	if err == nil {
		w.sync = sync
	}
	return err
}

func allGone(group []*job) bool {
	for _, j := range group {
		if j.state.Load() != abandoned {
			return false
		}
	}
	return true
}

// apply runs the jobs whose callers still wait. It stops at one that fails: rest are the
// others, to be run again.
func (w *writer) apply(group []*job) (rest []*job, failed *job) {
	for i, j := range group {
		if !j.take() {
			continue
		}
		if w.call(j); j.err != nil || j.panic != nil {
			return append(rest, group[i+1:]...), j
		}
		rest = append(rest, j)
	}
	return rest, nil
}

func (w *writer) call(j *job) {
	if j.err = j.ctx.Err(); j.err != nil {
		return
	}
	w.conn.SetInterrupt(j.ctx.Done())
	defer func() {
		if j.panic = recover(); j.panic != nil {
			j.stack = debug.Stack()
		}
		w.conn.SetInterrupt(nil) // also resets statements that fn left in the middle
	}()
	j.err = j.fn(w.conn)
}

func (w *writer) commit() error {
	err := execCached(w.conn, "COMMIT")
	if err != nil && !w.conn.AutocommitEnabled() {
		w.rollback()
	}
	return err
}

// rollback ends the transaction. Its own error says nothing new: SQLite has undone
// the transaction by then, or the connection fails at the next begin.
func (w *writer) rollback() { _ = execCached(w.conn, "ROLLBACK") }
