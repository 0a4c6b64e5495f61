// Command dlq-redrive is the Lambda function that redrives dead letters.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/millrace-pipeline/millrace/functions/internal/wire"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "dlq-redrive:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	p, err := wire.RedriveParts(ctx)
	if err != nil {
		return err
	}
	lambdaio.Start(p.Redrive(), wire.Flush)
	return nil
}
