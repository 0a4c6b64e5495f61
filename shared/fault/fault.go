// Package fault says what to do about a failure. An error is classified once,
// where it arises; everything above decides by Kind and reports by Reason.
package fault

import (
	"cmp"
	"errors"
	"fmt"
)

// Kind is what the pipeline does about a failure. The zero value is Transient:
// an error that nobody classified is retried, never dropped (delivery rule 3).
type Kind uint8

const (
	// Transient failures pass: the event is retried with backoff until its last attempt.
	Transient Kind = iota
	// Permanent failures do not pass by themselves: the event is dead-lettered at once.
	Permanent
	// Unstarted is no failure of the event: the deadline came before its turn, or what it
	// needs could not be reached. It is redelivered and the delivery does not count as an
	// attempt (delivery rule 6).
	Unstarted
)

func (k Kind) String() string {
	switch k {
	case Permanent:
		return "permanent"
	case Unstarted:
		return "unstarted"
	default:
		return "transient"
	}
}

// Error is a classified failure.
type Error struct {
	Kind   Kind
	Reason Reason // machine-readable, from the table in reasons.go
	Op     string // what was being done: "decode", "publish process", "store write"
	Detail string // the offending value or field, short; never a payload
	Err    error  // the cause, or nil
}

func (e *Error) Error() string {
	s := string(e.Reason)
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// New returns a failure of the kind that the table gives the reason.
func New(reason Reason, format string, args ...any) *Error {
	return &Error{Kind: reason.Info().Kind, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Wrap classifies err under a reason and names the operation; nil stays nil.
// An err that already carries a Reason keeps it and its kind, and its operation.
func Wrap(err error, reason Reason, op string) error {
	if err == nil {
		return nil
	}
	var f *Error
	if errors.As(err, &f) {
		if f != err { //nolint:errorlint // err itself is meant, and not what it wraps
			return &Error{Kind: f.Kind, Reason: f.Reason, Op: op, Err: err}
		}
		named := *f
		named.Op = cmp.Or(f.Op, op)
		return &named
	}
	return &Error{Kind: reason.Info().Kind, Reason: reason, Op: op, Err: err}
}

// KindOf is the kind of err; an error that nobody classified is Transient.
func KindOf(err error) Kind {
	var f *Error
	if errors.As(err, &f) {
		return f.Kind
	}
	return Transient
}

// ReasonOf is the reason of err; Unknown where nobody gave one.
func ReasonOf(err error) Reason {
	var f *Error
	if errors.As(err, &f) && f.Reason != "" {
		return f.Reason
	}
	return Unknown
}
