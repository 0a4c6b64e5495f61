// Command dlq-redrive is the Lambda function that redrives dead letters.
package main

import (
	"context"

	"github.com/millrace-pipeline/millrace/functions/internal/wire"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func main() { wire.Main(spec.Redrive, handler) }

func handler(ctx context.Context) (lambdaio.Handler, error) {
	p, err := wire.RedriveParts(ctx)
	if err != nil {
		return nil, err
	}
	return p.Redrive(), nil
}
