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
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	p, err := wire.Parts(ctx, spec.Ingest)
	if err != nil {
		return err
	}
	if err := wire.Schemas(p); err != nil {
		return err
	}
	lambdaio.Start(p.Ingest(), wire.Flush)
	return nil
}
