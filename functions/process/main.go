// Command process is the Lambda function of the stage process.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/millrace-pipeline/millrace/functions/internal/wire"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "process:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	p, err := wire.Parts(ctx, spec.Process)
	if err == nil && p.Handlers.HasEffects() {
		err = wire.Store(ctx, p) // for leases
	}
	if err != nil {
		return err
	}
	h, err := p.Process()
	if err != nil {
		return err
	}
	lambdaio.Start(h, wire.Flush)
	return nil
}
