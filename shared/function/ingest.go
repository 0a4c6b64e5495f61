package function

import (
	"context"

	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/stage/ingest"
)

// Ingest is the handler of the function ingest: Kafka, SQS and the function URL.
func (p *Parts) Ingest() lambdaio.Handler {
	door := &ingest.Door{MaxEvent: p.Settings.MaxEventBytes, Now: p.Now}
	r := p.runner(spec.Ingest, &ingest.Stage{Schema: p.Schema})
	r.Decode = door.Decode
	web := &webDoor{door: door, runner: r}
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		in, err := lambdaio.Decode(payload)
		if err != nil {
			return nil, err
		}
		switch in.Kind {
		case lambdaio.Kafka, lambdaio.SQS:
			return in.Answer(r.Run(ctx, in.Batch(ctx)))
		case lambdaio.HTTP:
			return web.serve(ctx, in)
		}
		return nil, fault.New(fault.UnsupportedContent, "ingest takes Kafka, SQS and HTTP, not an invocation of kind %s", in.Kind)
	}
}
