package function

import (
	"context"

	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// batches is the handler of a stage that only a queue invokes.
func batches(r *pipeline.Runner) lambdaio.Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		in, err := lambdaio.Decode(payload)
		if err != nil {
			return nil, err
		}
		if in.Kind != lambdaio.SQS {
			return nil, fault.New(fault.UnsupportedContent, "%s takes SQS batches, not an invocation of kind %s", r.Name, in.Kind)
		}
		return in.Answer(r.Run(ctx, in.Batch(ctx)))
	}
}
