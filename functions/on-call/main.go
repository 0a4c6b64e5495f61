// Command on-call is the Lambda function that makes pages of alarms and escalates them.
package main

import (
	"github.com/millrace-pipeline/millrace/functions/internal/wire"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func main() { wire.Main(spec.OnCall, wire.OnCall) }
