package wire

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/millrace-pipeline/millrace/shared/adapter/emf"
	"github.com/millrace-pipeline/millrace/shared/adapter/logs"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// observe writes the metrics and the one log line of each invocation to standard
// output, where Lambda takes both to CloudWatch.
func observe(s spec.Settings) (func(pipeline.Report), error) {
	metrics, err := emf.New(os.Stdout, emf.Options{Env: s.Env, Counts: s.LatencyMetric == spec.LatencyCounts})
	if err != nil {
		return nil, err
	}
	log := logs.New(os.Stdout, s.LogLevel, s.Env)
	return func(r pipeline.Report) {
		logs.Invocation(context.Background(), log, &r)
		if err := metrics.Emit(&r); err != nil {
			log.Error("metrics are not written", slog.Any("error", err))
		}
	}, nil
}

// flush is called when Lambda ends the environment. Lines are written as they come, so
// there is nothing to write but that it ended.
func flush() { fmt.Println(`{"level":"INFO","msg":"environment ends"}`) }
