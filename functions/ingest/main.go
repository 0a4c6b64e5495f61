// Command ingest is the Lambda function of the stage ingest.
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
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}

func run() error {
	p, err := wire.Parts(context.Background(), spec.Ingest)
	if err != nil {
		return err
	}
	h := p.Ingest()
	lambdaio.Start(h, wire.Flush)
	return nil
}
