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
// Calls that wait at the same time share one transaction; they do not see each other's
// errors. fn runs on another goroutine, and may run more than once if SQLite undoes the
// transaction because of another call's error (disk full, cancellation): only the last
// run counts, so fn starts its results anew. fn must not keep conn or a statement of it,
// begin or end transactions, or call Write.
//
// When ctx is done before fn ran to its end, nothing is written and Write returns ctx's
// error. Once fn has run, the commit is not given up.
func (d *DB) Write(ctx context.Context, fn func(conn *sqlite.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
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
	state atomic.Int32
	done  chan struct{} // closed when err and panic are set for good

	err   error
	panic any
	stack []byte
}

func (j *job) take() bool {
	return j.state.CompareAndSwap(waiting, taken) || j.state.Load() == taken
}

func (j *job) failed() bool { return j.err != nil || j.panic != nil }

// writer owns the one connection that writes.
type writer struct {
	db   *DB
	conn *sqlite.Conn

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
		db: d, conn: conn,
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

// run takes the group through one transaction. If SQLite undoes it because of one job,
// that job has failed and the others run again without it.
func (w *writer) run(group []*job) {
	for len(group) > 0 {
		err := w.begin(group)
		undone := false
		if err == nil {
			group, undone = w.apply(group)
			if !undone {
				err = w.commit()
			}
		}
		var again []*job
		for _, j := range group {
			if undone && !j.failed() {
				again = append(again, j)
				continue
			}
			if err != nil && !j.failed() {
				j.err = err
			}
			close(j.done)
		}
		group = again
	}
}

// begin takes the file's write lock, waiting for other processes up to Options.Busy.
func (w *writer) begin(group []*job) error {
	for deadline := time.Now().Add(w.db.opts.Busy); ; {
		err := execCached(w.conn, "BEGIN IMMEDIATE")
		if !isBusy(err) || time.Now().After(deadline) || allGone(group) {
			return err
		}
		time.Sleep(lockPoll)
	}
}

func allGone(group []*job) bool {
	for _, j := range group {
		if j.state.Load() != abandoned {
			return false
		}
	}
	return true
}

// apply runs each job's function, undoing by savepoint what a failed one wrote. It
// returns the jobs whose callers still wait. undone: the whole transaction is gone.
func (w *writer) apply(group []*job) (kept []*job, undone bool) {
	alone := len(group) == 1
	for i, j := range group {
		if !j.take() {
			continue
		}
		kept = append(kept, j)
		if w.applyOne(j, alone); j.failed() && w.conn.AutocommitEnabled() {
			return append(kept, group[i+1:]...), true
		}
	}
	return kept, false
}

func (w *writer) applyOne(j *job, alone bool) {
	if j.err = j.ctx.Err(); j.err != nil {
		return
	}
	if !alone {
		if j.err = execCached(w.conn, "SAVEPOINT job"); j.err != nil {
			return
		}
	}
	w.call(j)
	if !alone && !w.conn.AutocommitEnabled() {
		w.endSavepoint(j)
	} else if alone && j.failed() && !w.conn.AutocommitEnabled() {
		w.rollback()
	}
}

func (w *writer) call(j *job) {
	w.conn.SetInterrupt(j.ctx.Done())
	defer func() {
		if j.panic = recover(); j.panic != nil {
			j.stack = debug.Stack()
		}
		w.conn.SetInterrupt(nil) // also resets statements that fn left in the middle
	}()
	j.err = j.fn(w.conn)
}

func (w *writer) endSavepoint(j *job) {
	if j.failed() {
		if err := execCached(w.conn, "ROLLBACK TO job"); err != nil {
			w.rollback() // what the job wrote must not be committed
			return
		}
	}
	if err := execCached(w.conn, "RELEASE job"); err != nil {
		if j.err == nil {
			j.err = err
		}
		w.rollback()
	}
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
