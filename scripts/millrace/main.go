// Command millrace runs the pipeline on one machine and operates it wherever it runs.
//
// One file per command: newX describes it, xOptions are its flags, runX does it. What a
// command does to the pipeline is in shared/ops; here are flags and what people read.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(execute(ctx, processEnv(), os.Args[1:]))
}
