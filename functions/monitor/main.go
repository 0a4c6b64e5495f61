// Command monitor is the Lambda function that measures what no invocation can: whether
// Kafka and the event store answer, the consumer lag, and stuck events.
package main

import (
	"github.com/millrace-pipeline/millrace/functions/internal/wire"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func main() { wire.Main(spec.Monitor, wire.Monitor) }
