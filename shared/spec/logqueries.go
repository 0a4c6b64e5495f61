package spec

// LogQuery is one row of LogQueries: a query of CloudWatch Logs Insights.
type LogQuery struct {
	Name      string   // as diagnoses name it
	Functions []string // whose logs it reads
	// Text is the query. Its fields are those of the lines that functions write (packages
	// logs and emf), a test in functions/internal/wire sees to it, and Lambda's own.
	Text string
}

// Names of the queries that diagnoses and documents refer to.
const (
	QueryErrors  = "errors by reason"
	QuerySlowest = "slowest invocations"
	QueryPath    = "path of an event"
	QueryCost    = "cost per invocation"
	QueryCrashes = "invocations without an answer"
)

// PathPlaceholder of QueryPath is replaced by an event's id, or by the trace id of its
// traceparent.
const PathPlaceholder = "ID-OR-TRACE-ID"

// What the queries of costs multiply with: US dollars in us-east-1, 2026-09 (AWS Lambda
// pricing page).
const (
	arm64GBSecond = "0.0000133334"
	amd64GBSecond = "0.0000166667"
	oneRequest    = "0.0000002"
)

// LogQueries are all saved queries of a deployment, whose functions run on architecture.
func LogQueries(architecture string) []LogQuery {
	gbSecond := arm64GBSecond
	if architecture == AMD64 {
		gbSecond = amd64GBSecond
	}
	return []LogQuery{
		// A line lists the first failures of its invocation, each with its reason.
		{QueryErrors, functions, `filter msg = "invocation" and ispresent(failures.0.reason)
| fields jsonParse(@message) as line
| unnest line.failures into failure
| stats count(*) as failed, max(@timestamp) as last, latest(failure.error) as error, latest(failure.id) as id by stage, failure.reason
| sort failed desc`},
		// The line of metrics is there whatever the log level is.
		{QuerySlowest, functions, `filter ispresent(DurationMs)
| fields @timestamp, Stage, DurationMs, BatchSize, Deliveries, UnstartedEvents, RequestId
| sort DurationMs desc
| limit 50`},
		{QueryPath, functions, `filter @message like "` + PathPlaceholder + `"
| fields @timestamp, coalesce(stage, Stage) as at, level, msg, source, failures.0.id, failures.0.attempt, failures.0.dead, failures.0.reason, failures.0.error,
  coalesce(traceparent, TraceParent) as trace, coalesce(request_id, RequestId) as request
| sort @timestamp asc
| limit 1000`},
		{QueryCost, Functions(), `filter @type = "REPORT"
| fields @billedDuration / 1000 * @memorySize / 1000 / 1000 / 1024 as gbs
| stats count(*) as invocations, sum(gbs) as gb_seconds, avg(gbs) * ` + gbSecond + ` + ` + oneRequest + ` as usd_each, sum(gbs) * ` + gbSecond + ` + count(*) * ` + oneRequest + ` as usd by @log
| sort usd desc`},
		{QueryCrashes, Functions(), `filter level = "ERROR" or @message like /Task timed out|Runtime exited|Runtime\.ExitError|errorType/
| fields @timestamp, @log, @requestId, msg, error, @message
| sort @timestamp desc
| limit 100`},
	}
}
