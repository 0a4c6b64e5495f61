package main

import (
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// env is what a command has of the world besides its target.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string // as os.Environ: the settings
	now            func() time.Time
	// isTerminal reports whether a person looks at the stream.
	isTerminal func(stream any) bool
}

func processEnv() env {
	return env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), now: time.Now, isTerminal: isTerminal}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
