// Command persist is the Lambda function of the stage persist.
package main

import (
	"context"

	"github.com/millrace-pipeline/millrace/functions/internal/wire"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func main() { wire.Main(spec.Persist, handler) }

func handler(ctx context.Context) (lambdaio.Handler, error) {
	p, err := wire.Parts(ctx, spec.Persist)
	if err != nil {
		return nil, err
	}
	if err := wire.Store(ctx, p); err != nil {
		return nil, err
	}
	return p.Persist(), nil
}
