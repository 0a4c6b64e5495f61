package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Exit codes, as every command's help says them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitRefused     = 3
	exitNotFound    = 4
	exitInterrupted = 130 // 128 + SIGINT, as shells have it
)

var exitMeaning = map[int]string{
	exitOK:          "done",
	exitFailure:     "it failed; standard error says why and what to do",
	exitUsage:       "the command line is wrong; nothing was done",
	exitRefused:     "done, but some lines were refused; standard error lists them",
	exitNotFound:    "there is no such event, dead letter, page or topic",
	exitInterrupted: "interrupted by a signal",
}

// exitError is an error that ends the process with a code of its own. A nil err means
// that everything has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return exitMeaning[e.code]
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError is a mistake on the command line.
func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// finish writes the error as one line, if there is anything to say, and returns the
// exit code.
func finish(e env, err error) int {
	var coded *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		if coded.err != nil {
			sayError(e, coded.err)
		}
		return coded.code
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(e.stderr, "millrace: interrupted")
		return exitInterrupted
	default:
		sayError(e, err)
		return exitFailure
	}
}

func sayError(e env, err error) {
	fmt.Fprintln(e.stderr, "millrace: "+oneLine(err.Error()))
}

// oneLine keeps an error on its line, whatever text came from elsewhere.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ReplaceAll(strings.TrimSpace(s), "\n", "; "))
}
