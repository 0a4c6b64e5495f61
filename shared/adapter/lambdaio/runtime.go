package lambdaio

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Handler handles one invocation: a payload as Decode reads it in, the answer out. On an
// error Lambda acknowledges nothing. The context ends at the invocation's deadline and
// carries its request id. The embedded pollers call the same Handlers.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// Invoke makes a Handler a lambda.Handler, which gets the payload undecoded.
func (h Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

// Start serves Lambda's Runtime API with h; it does not return. flush is called on
// SIGTERM, when Lambda ends the execution environment, between invocations; it has
// 500 ms until SIGKILL (AWS Lambda Developer Guide, "Lambda execution environment
// lifecycle", shutdown phase). Outside Lambda, Start ends the process with a message that
// names the environment variable it misses.
func Start(h Handler, flush func()) {
	lambda.StartWithOptions(h, lambda.WithEnableSIGTERM(flush))
}

// RequestID is the id of the invocation that ctx belongs to, "" outside of one.
func RequestID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
}

// WithRequestID is ctx for an invocation that does not come from Lambda.
func WithRequestID(ctx context.Context, id string) context.Context {
	return lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: id})
}
