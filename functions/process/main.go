// Command process is the Lambda function of the stage process.
package main

import (
	"context"

	"github.com/millrace-pipeline/millrace/functions/internal/wire"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func main() { wire.Main(spec.Process, handler) }

func handler(ctx context.Context) (lambdaio.Handler, error) {
	p, err := wire.Parts(ctx, spec.Process)
	if err == nil && p.Handlers.HasEffects() {
		err = wire.Store(ctx, p) // for leases
	}
	if err != nil {
		return nil, err
	}
	return p.Process()
}
