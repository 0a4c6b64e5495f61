package db

import (
	"os"
	"time"

	"zombiezen.com/go/sqlite"
)

const (
	// walOverrun: at this many times Options.CheckpointBytes the writer waits for readers.
	walOverrun = 4
	// readerWait is how long it then waits: longer than any read of a page of results.
	readerWait = 500 * time.Millisecond
	// retryPause is the time until the next wait when a reader did not end in that time.
	retryPause = 5 * time.Second
)

// checkpointer keeps the WAL from growing for ever. SQLite copies the WAL into the file
// after a commit that leaves it larger than the limit (PRAGMA wal_autocheckpoint), and
// starts it anew if no reader still needs it. With readers that overlap without end that
// never happens; then, at walOverrun times the limit, the writer waits for those that
// read, while new ones read from the file.
type checkpointer struct {
	wal   string
	limit int64
	retry time.Time // not before this time
}

func (c *checkpointer) after(conn *sqlite.Conn) {
	info, err := os.Stat(c.wal)
	if err != nil || info.Size() < walOverrun*c.limit || time.Now().Before(c.retry) {
		return
	}
	conn.SetBusyTimeout(readerWait)
	defer conn.SetBusyTimeout(0)
	t0:=time.Now()
	defer func(){ println("ckpt", info.Size(), time.Since(t0).String(), time.Now().Before(c.retry)) }()
	defer func(){ st,_,_ := conn.PrepareTransient("PRAGMA wal_checkpoint(PASSIVE)"); st.Step(); if time.Now().Before(c.retry) { println("then passive", st.ColumnInt(0), st.ColumnInt(1), st.ColumnInt(2)) }; st.Finalize() }()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for range 3 {
		select { case <-stop: return
		case <-time.After(100*time.Millisecond): }
		b, _ := os.ReadFile("/proc/locks")
		println(string(b))
		}
	}()
	if busy, err := queryInt(conn, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil || busy != 0 {
		c.retry = time.Now().Add(retryPause)
	}
}
