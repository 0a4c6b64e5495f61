package db

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"
)

// What can be wrong with the file; compare with errors.Is.
var (
	// ErrLocked: another process held the file's lock for longer than Options.Busy.
	ErrLocked = errors.New("database is locked")
	// ErrCorrupt: the file's content is damaged.
	ErrCorrupt = errors.New("database is damaged")
	// ErrNotDatabase: the file is not an SQLite database, or one of another kind.
	ErrNotDatabase = errors.New("not a Millrace database")
	// ErrNewer: a newer version of the program has changed the file's schema.
	ErrNewer = errors.New("database is of a newer version")
	// ErrFull: the disk, or the user's quota, is full.
	ErrFull = errors.New("disk is full")
	// ErrPermission: the file or its directory cannot be read and written.
	ErrPermission = errors.New("no permission")
	// ErrIO: the operating system failed to read or write the file.
	ErrIO = errors.New("I/O error")
	// ErrClosed: the database was closed.
	ErrClosed = errors.New("database is closed")
)

// Error is a failure of the file rather than of a statement.
type Error struct {
	Path   string
	Op     string // "open", "read", "write" or "close"
	kind   error  // one of the errors above
	detail string // what is wrong, where cause does not say it
	cause  error
}

func (e *Error) Error() string {
	what := e.detail
	if what == "" && e.cause != nil {
		what = e.cause.Error()
	}
	switch e.kind {
	case ErrLocked:
		return fmt.Sprintf("%s is locked: another process has been writing to it for too long (%s); "+
			"find it with `fuser %s`, or try again", e.Path, what, e.Path)
	case ErrCorrupt:
		return fmt.Sprintf("%s is damaged: %s; stop every millrace process, then restore the file from a backup, "+
			"or move it away together with its -wal and -shm files to start empty", e.Path, what)
	case ErrNotDatabase:
		return fmt.Sprintf("%s is not a Millrace database: %s; move it away, or name another data directory", e.Path, what)
	case ErrNewer:
		return fmt.Sprintf("%s was written by a newer version of millrace: %s; use that version", e.Path, what)
	case ErrFull:
		return fmt.Sprintf("no space left to write %s: %s; free some disk space, nothing that was acknowledged is lost", e.Path, what)
	case ErrPermission:
		return fmt.Sprintf("no permission to read and write %s and its directory: %s", e.Path, what)
	default:
		return fmt.Sprintf("cannot %s %s: %s", e.Op, e.Path, what)
	}
}

func (e *Error) Is(target error) bool { return target == e.kind }

func (e *Error) Unwrap() error { return e.cause }

// kinds of SQLite's primary result codes (https://sqlite.org/rescode.html).
func kindOf(code sqlite.ResultCode) error {
	switch code.ToPrimary() {
	case sqlite.ResultBusy, sqlite.ResultLocked, sqlite.ResultProtocol:
		return ErrLocked
	case sqlite.ResultCorrupt:
		return ErrCorrupt
	case sqlite.ResultNotADB:
		return ErrNotDatabase
	case sqlite.ResultFull:
		return ErrFull
	case sqlite.ResultReadOnly, sqlite.ResultPerm, sqlite.ResultCantOpen, sqlite.ResultAuth:
		return ErrPermission
	case sqlite.ResultIOErr:
		return ErrIO
	default:
		return nil
	}
}

func isBusy(err error) bool {
	return err != nil && sqlite.ErrCode(err).ToPrimary() == sqlite.ResultBusy
}

// translate gives an error of SQLite its kind and a text for the operator. Errors of
// callers' own and of statements (a constraint, a wrong statement) pass unchanged.
func (d *DB) translate(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	code := sqlite.ErrCode(err)
	if code.ToPrimary() == sqlite.ResultInterrupt && ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", op, d.path, context.Cause(ctx))
	}
	if kind := kindOf(code); kind != nil {
		return &Error{Path: d.path, Op: op, kind: kind, cause: err}
	}
	return err
}
