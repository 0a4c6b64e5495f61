// Package db opens one SQLite file for the embedded adapters: many readers, one writer
// per process, any number of processes.
//
// What is not obvious:
//   - Write runs its function on the file's writer goroutine, together with the
//     functions of other callers that are waiting: one transaction, one fsync
//     (writer.go). A function may run twice, so it sets its results anew each time.
//   - The file is in WAL mode: readers never wait for the writer. The WAL is copied
//     into the file at Options.CheckpointBytes and reused from its start; see
//     checkpoint.go for what keeps it from growing for ever.
//   - Several processes take turns through SQLite's own lock, which has no queue. A
//     process that writes without a pause leaves it free from time to time (writer.go).
//   - Errors say what an operator can do and are told apart with errors.Is (errors.go).
//     None is classified with package fault: an unclassified error is transient.
package db

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
)

// Sync is when a commit reaches the disk.
type Sync string

const (
	// SyncFull: a commit that returned survives loss of power. For queues, where an
	// acknowledged message must not be lost.
	SyncFull Sync = "FULL"
	// SyncNormal: a commit that returned survives the end of the process, kill -9
	// included, but the last ones may be undone by loss of power. The file stays
	// consistent. Several times fewer fsyncs.
	SyncNormal Sync = "NORMAL"
)

// Options of Open. The zero value of a field means its default.
type Options struct {
	// Migrations are SQL scripts: the first makes version 1 of the schema from an
	// empty file, the second version 2 from 1, and so on. A released one never changes.
	Migrations []string
	// ApplicationID marks the file as this kind of database (PRAGMA application_id),
	// so that a file of another kind is refused. Must not be 0.
	ApplicationID int32

	MustExist       bool          // refuse to make a new file: fs.ErrNotExist
	Sync            Sync          // default SyncFull
	Readers         int           // read connections, opened when first needed; default 4
	Busy            time.Duration // how long to wait for another process's lock; default 10 s
	PageSize        int           // bytes, a power of two, of a new file; default 4096
	CacheBytes      int           // page cache of each connection; default 16 MiB
	CheckpointBytes int           // WAL size at which it is copied into the file; default 16 MiB
}

func (o Options) withDefaults() Options {
	if o.Sync == "" {
		o.Sync = SyncFull
	}
	if o.Readers == 0 {
		o.Readers = 4
	}
	if o.Busy == 0 {
		o.Busy = 10 * time.Second
	}
	if o.PageSize == 0 {
		o.PageSize = 4096
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 16 << 20
	}
	if o.CheckpointBytes == 0 {
		o.CheckpointBytes = 16 << 20
	}
	return o
}

// DB is one open file. It is safe for concurrent use.
type DB struct {
	path string
	opts Options

	writer  *writer
	readers chan *sqlite.Conn // idle read connections; nil stands for one not opened yet
	closing chan struct{}

	versionMu sync.Mutex
	version   *sqlite.Conn // for Version; opened when first needed

	closeOnce sync.Once
	closeErr  error
}

// Open opens the file, makes it if it is missing (unless MustExist), and brings its
// schema to the newest version. The directory must exist. The errors are those of
// errors.go; a wait for another process's lock ends with ctx.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	if o.ApplicationID == 0 {
		return nil, fmt.Errorf("open %s: no application id", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	d := &DB{path: abs, opts: o.withDefaults(), closing: make(chan struct{})}
	if err := d.checkPath(); err != nil {
		return nil, err
	}
	conn, err := d.connect()
	if err != nil {
		return nil, d.translate(ctx, "open", err)
	}
	if err := d.prepareFile(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, d.translate(ctx, "open", err)
	}
	d.readers = make(chan *sqlite.Conn, d.opts.Readers)
	for range d.opts.Readers {
		d.readers <- nil
	}
	d.writer = startWriter(d, conn)
	return d, nil
}

// checkPath finds what SQLite would report only as "unable to open database file".
func (d *DB) checkPath() error {
	info, err := os.Stat(d.path)
	switch {
	case err == nil && info.IsDir():
		return &Error{Path: d.path, Op: "open", kind: ErrNotDatabase, detail: "it is a directory"}
	case err == nil:
		return nil
	case !os.IsNotExist(err):
		return &Error{Path: d.path, Op: "open", kind: ErrPermission, cause: err}
	case d.opts.MustExist:
		return err
	}
	// A missing directory has its own, clearer error.
	_, err = os.Stat(filepath.Dir(d.path))
	return err
}

// connect opens one connection with the settings that belong to a connection.
func (d *DB) connect() (*sqlite.Conn, error) {
	flags := sqlite.OpenReadWrite
	if !d.opts.MustExist {
		flags |= sqlite.OpenCreate
	}
	conn, err := sqlite.OpenConn(d.path, flags)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(d.opts.Busy)
	for _, pragma := range []string{
		"PRAGMA temp_store = MEMORY",
		"PRAGMA foreign_keys = ON",
		"PRAGMA cell_size_check = ON", // finds a damaged page when it is read, before it is used
		fmt.Sprintf("PRAGMA cache_size = -%d", max(d.opts.CacheBytes>>10, 1)),
		fmt.Sprintf("PRAGMA synchronous = %s", d.opts.Sync),
		"PRAGMA fullfsync = ON", // on macOS, where an fsync alone leaves it in the drive's cache
	} {
		if err := exec(conn, pragma); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// Path of the file, absolute.
func (d *DB) Path() string { return d.path }

// Close lets running calls end, refuses new ones with ErrClosed, and closes the file.
// The last process to close the file copies the WAL into it.
func (d *DB) Close() error {
	d.closeOnce.Do(func() {
		close(d.closing)
		for range d.opts.Readers {
			if conn := <-d.readers; conn != nil {
				d.noteClose(conn)
			}
		}
		d.versionMu.Lock()
		defer d.versionMu.Unlock()
		if d.version != nil {
			d.noteClose(d.version)
		}
		// The writer last: the last connection to close does the final checkpoint.
		d.noteClose(d.writer.stop())
	})
	return d.closeErr
}

func (d *DB) noteClose(conn *sqlite.Conn) {
	if err := conn.Close(); err != nil && d.closeErr == nil {
		d.closeErr = d.translate(context.Background(), "close", err)
	}
}

// exec runs one statement that is not worth caching.
func exec(conn *sqlite.Conn, query string) error {
	stmt, _, err := conn.PrepareTransient(query)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Finalize() }()
	for {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
	}
}

// execCached runs one statement that is run over and over.
func execCached(conn *sqlite.Conn, query string) error {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	if _, err := stmt.Step(); err != nil {
		return err
	}
	return stmt.Reset()
}

// queryInt runs a statement whose first column of its first row is an integer.
func queryInt(conn *sqlite.Conn, query string) (int64, error) {
	stmt, _, err := conn.PrepareTransient(query)
	if err != nil {
		return 0, err
	}
	defer func() { _ = stmt.Finalize() }()
	if _, err := stmt.Step(); err != nil {
		return 0, err
	}
	return stmt.ColumnInt64(0), nil
}
