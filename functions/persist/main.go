// Command persist is the Lambda function of the stage persist.
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
		fmt.Fprintln(os.Stderr, "persist:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	p, err := wire.Parts(ctx, spec.Persist)
	if err != nil {
		return err
	}
	if err := wire.Store(ctx, p); err != nil {
		return err
	}
	lambdaio.Start(p.Persist(), wire.Flush)
	return nil
}
