package wire

import (
	"context"
	"fmt"
	"os"

	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
)

// Main is the main function of a Lambda function: it makes the handler and serves it,
// or ends the process with a message that says why it cannot.
func Main(name string, handler func(ctx context.Context) (lambdaio.Handler, error)) {
	limitMemory()
	h, err := handler(context.Background())
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	lambdaio.Start(h, flush)
}
