// Command ingest is the Lambda function of the stage ingest.
package main

import (
	"context"

	"github.com/millrace-pipeline/millrace/functions/internal/wire"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func main() { wire.Main(spec.Ingest, handler) }

func handler(ctx context.Context) (lambdaio.Handler, error) {
	p, err := wire.Parts(ctx, spec.Ingest)
	if err != nil {
		return nil, err
	}
	if err := wire.Schemas(p); err != nil {
		return nil, err
	}
	return p.Ingest(), nil
}
