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
	ErrLocked = &kind{"database is locked",
		"%[1]s is locked: another process has been writing to it for too long (%[2]s); find it with `fuser %[1]s`, or try again"}
	// ErrCorrupt: the file's content is damaged.
	ErrCorrupt = &kind{"database is damaged",
		"%[1]s is damaged: %[2]s; stop every millrace process, then restore the file from a backup, " +
			"or move it away together with its -wal and -shm files to start empty"}
	// ErrNotDatabase: the file is not an SQLite database, or one of another kind.
	ErrNotDatabase = &kind{"not a Millrace database",
		"%[1]s is not a Millrace database: %[2]s; move it away, or name another data directory"}
	// ErrNewer: a newer version of the program has changed the file's schema.
	ErrNewer = &kind{"database is of a newer version",
		"%[1]s was written by a newer version of millrace: %[2]s; use that version"}
	// ErrFull: the disk, or the user's quota, is full.
	ErrFull = &kind{"disk is full",
		"no space left to write %[1]s: %[2]s; free some disk space (what was acknowledged is safe)"}
	// ErrPermission: the file or its directory cannot be read and written.
	ErrPermission = &kind{"no permission",
		"no permission to read and write %[1]s and its directory: %[2]s"}
	// ErrIO: the operating system failed to read or write the file.
	ErrIO = &kind{"I/O error", "cannot %[3]s %[1]s: %[2]s"}
	// ErrClosed: the database was closed.
	ErrClosed = errors.New("database is closed")
)

// kind is a kind of failure and its text for the operator, made of the file's path, what
// is wrong, and the operation.
type kind struct{ name, format string }

func (k *kind) Error() string { return k.name }

// Error is a failure of the file rather than of a statement.
type Error struct {
	Path   string
	Op     string // "open", "read", "write" or "close"
	kind   *kind  // one of the errors above
	detail string // what is wrong, where cause does not say it
	cause  error
}

func (e *Error) Error() string {
	what := e.detail
	if what == "" && e.cause != nil {
		what = e.cause.Error()
	}
	return fmt.Sprintf(e.kind.format, e.Path, what, e.Op)
}

// Unwrap gives the kind, one of the errors of this package, and the cause.
func (e *Error) Unwrap() []error { return []error{e.kind, e.cause} }

// kindOf maps SQLite's primary result codes (https://sqlite.org/rescode.html) to
// kinds; nil for an error of a statement.
func kindOf(code sqlite.ResultCode) *kind {
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
	if k := kindOf(code); k != nil {
		return &Error{Path: d.path, Op: op, kind: k, cause: err}
	}
	return err
}
