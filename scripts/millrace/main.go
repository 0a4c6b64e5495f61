// Command millrace runs the pipeline on one machine and operates it wherever it runs.
//
// One file per command: newX describes it, xOptions are its flags, runX does it. What a
// command does to the pipeline is in shared/ops; here are flags and what people read.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// gcPercent lets the heap grow further than Go's default before it is collected: the
// pipeline allocates in large buffers and holds little, and a fifth of its CPU goes to
// collecting otherwise. GOGC overrides it.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(execute(ctx, processEnv(), os.Args[1:]))
}
