package db

import (
	"os"
	"time"

	"zombiezen.com/go/sqlite"
)

const (
	// walOverrun: at this many times Options.CheckpointBytes readers are kept out.
	walOverrun = 4
	// readerWait is how long to wait for those that read: longer than any page of results.
	readerWait = 500 * time.Millisecond
	// retryPause is the time until the next attempt when a reader did not end in that time.
	retryPause = 5 * time.Second
)

// checkpointer keeps the WAL from growing for ever. SQLite copies the WAL into the file
// after a commit that leaves it larger than the limit (PRAGMA wal_autocheckpoint), and
// starts it anew if no reader still needs it. With readers that overlap without end that
// never happens, and SQLite's own waiting (wal_checkpoint(RESTART)) does not help: it
// waits for a lock that overlapping readers hand from one to the next. So at walOverrun
// times the limit this process's readers are kept out for the moment it takes. Those of
// other processes are commands, which end.
type checkpointer struct {
	db    *DB
	retry time.Time // not before this time
}

func (c *checkpointer) after(conn *sqlite.Conn) {
	info, err := os.Stat(c.db.path + "-wal")
	if err != nil || info.Size() < walOverrun*int64(c.db.opts.CheckpointBytes) || time.Now().Before(c.retry) {
		return
	}
	if !c.withoutReaders(func() bool { return truncateWAL(conn) }) {
		c.retry = time.Now().Add(retryPause)
	}
}

// truncateWAL reports whether the WAL is empty now.
func truncateWAL(conn *sqlite.Conn) bool {
	conn.SetBusyTimeout(readerWait)
	defer conn.SetBusyTimeout(0)
	busy, err := queryInt(conn, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err == nil && busy == 0
}

// withoutReaders runs fn while it holds every read connection. It gives up, false, if a
// reader does not end in time.
func (c *checkpointer) withoutReaders(fn func() bool) bool {
	var held []*sqlite.Conn
	defer func() {
		for _, conn := range held {
			c.db.readers <- conn
		}
	}()
	timeout := time.NewTimer(readerWait)
	defer timeout.Stop()
	for range c.db.opts.Readers {
		select {
		case conn := <-c.db.readers:
			held = append(held, conn)
		case <-timeout.C:
			return false
		case <-c.db.closing:
			return false
		}
	}
	return fn()
}
