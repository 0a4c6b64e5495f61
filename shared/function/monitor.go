package function

import (
	"context"

	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/monitor"
)

// Monitor is the handler of the function monitor: each invocation, whatever its payload,
// measures once. What could not be measured is told to failed and is no failure of the
// invocation: Lambda would try again, and the heartbeat of 0 says it already.
func Monitor(m *monitor.Monitor, failed func(error)) lambdaio.Handler {
	return func(ctx context.Context, _ []byte) ([]byte, error) {
		if err := m.Measure(ctx); err != nil {
			failed(err)
		}
		return []byte("null"), nil
	}
}
