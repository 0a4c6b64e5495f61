package stack

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

const dashboardPeriod = time.Minute

// seriesID is an id that spec.Render gives to a series.
var seriesID = regexp.MustCompile(`\bm(\d+)\b`)

// addDashboard makes the dashboard that pages link to: what is wrong on top, then the
// pipeline as a whole, then each stage.
func (p *Pipeline) addDashboard() {
	b := &board{env: p.o.Deployment.Settings.Env, region: *p.Stack.Region(), cluster: p.alarms.cluster}
	p.alarmStates(b)
	b.heading("Pipeline")
	p.panels(b)
	b.heading("Service levels")
	serviceLevels(b)
	for _, s := range spec.Stages {
		b.heading("%s", s.Name)
		stageRow(b, s)
	}
	b.heading("%s, %s, %s", spec.Redrive, spec.Monitor, spec.OnCall)
	helpersRow(b)
	awscloudwatch.NewCfnDashboard(p.Stack, jsii.String("Dashboard"), &awscloudwatch.CfnDashboardProps{
		DashboardName: jsii.String(p.o.name(spec.Dashboard)),
		DashboardBody: p.Stack.ToJsonString(map[string]any{"widgets": b.widgets}, nil),
	})
}

// alarmStates are the alarms that page, those in ALARM first.
func (p *Pipeline) alarmStates(b *board) {
	var arns []any
	for _, pager := range p.alarms.pagers {
		arns = append(arns, p.Stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("cloudwatch"), Resource: jsii.String("alarm"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
			ResourceName: jsii.String(spec.PagerName(b.env, pager.Stage, pager.Severity)),
		}))
	}
	const height = 4
	b.add("alarm", columns, height, map[string]any{"title": "Alarms that page", "alarms": arns, "sortBy": "stateUpdatedTimestamp"})
	b.newline()
}

// panels are those of the second runbook.
func (p *Pipeline) panels(b *board) {
	const width = 6
	b.graph("Publish rate (events/s)", width,
		of(spec.Ingest, "ingest", perSecond(spec.EventThroughput)), of(spec.Process, "process", perSecond(spec.EventThroughput)))
	// An invocation ends when all that it publishes is published.
	b.graph("Publish latency, whole invocation p99 (ms)", width,
		of(spec.Ingest, "ingest", lambda("Duration", spec.P99)), of(spec.Process, "process", lambda("Duration", spec.P99)))
	b.graph("Consumer lag (records)", width, append([]line{of(spec.Ingest, "all partitions", own(spec.ConsumerLag, spec.Maximum))},
		p.msk("SumOffsetLag", spec.Maximum, "as MSK sees it", "Consumer Group", p.o.Deployment.KafkaGroup, "Topic", p.o.Deployment.KafkaTopic)...)...)
	b.graph("Error rate (%)", width, eachStage(percent(spec.FailedEvents, spec.BatchSize))...)
	b.graph("Dead letters (messages)", width, deadLetters()...)
	b.graph("Circuit breaker (0 closed, 1 open, 2 half open)", width, of(spec.Persist, "event store", own(spec.BreakerState, spec.Maximum)))
	b.graph("Kafka health", width, slices.Concat([]line{
		of(spec.Ingest, "answers (1) or not (0)", own(spec.Heartbeat, spec.Minimum)),
		of(spec.Ingest, "partitions with too few replicas", own(spec.UnderReplicatedPartitions, spec.Maximum)),
		of(spec.Ingest, "partitions without a leader", own(spec.OfflinePartitions, spec.Maximum)),
	}, p.msk("ActiveControllerCount", spec.Maximum, "controllers (MSK)"), p.msk("OfflinePartitionsCount", spec.Maximum, "offline partitions (MSK)"))...)
	var executions []line
	for _, f := range spec.Functions() {
		executions = append(executions, of(f, f, lambda("Invocations", spec.Sum)))
	}
	b.graph("Executions (invocations a minute)", width, executions...)
}

// msk is a metric of the cluster that MSK itself emits; none without a cluster that has
// brokers (Amazon MSK Developer Guide, "Amazon MSK metrics for monitoring brokers with
// CloudWatch").
func (p *Pipeline) msk(name string, stat spec.Statistic, label string, dimensions ...string) []line {
	if p.alarms.cluster == "" {
		return nil
	}
	m := []any{spec.AWSKafka, name, "Cluster Name", p.alarms.cluster}
	for _, d := range dimensions {
		m = append(m, d)
	}
	return []line{{metric: append(m, map[string]any{"stat": string(stat), "label": label})}}
}

// serviceLevels are what is promised, and the key metrics of the first runbook.
func serviceLevels(b *board) {
	const width = 8
	throughput, _ := spec.SLOByName(spec.SLOThroughput)
	b.target("Stored (events/s)", width, "promised while there is a backlog", throughput.Rate, of(spec.Persist, "persist", perSecond(spec.EventsStored)))
	b.target("Latency from arrival to end, p99 (ms)", width, "promised", float64(spec.LatencyTarget.Milliseconds()),
		of(spec.Process, "process", own(spec.EventLatency, spec.P99)), of(spec.Persist, "persist", own(spec.EventLatency, spec.P99)))
	b.graph("Failed attempts (events a minute)", width, eachStage(own(spec.FailedEvents, spec.Sum))...)
	for _, s := range spec.SLOs {
		if s.Target == 0 || s.Name == spec.SLOLatency || s.Name == spec.SLOErrorRate { // those above
			continue
		}
		var lines []line
		for _, stage := range s.Stages {
			lines = append(lines, of(stage, stage, spec.Op{Sign: "-", A: spec.Number(100), B: ratio(s.Bad, s.Total)}))
		}
		b.target(strings.ToUpper(s.Name[:1])+s.Name[1:]+" (%)", width, "promised", s.Target, lines...)
	}
	b.graph("Write to the event store, longest of an invocation (ms)", width,
		of(spec.Persist, "average", own(spec.StoreLatency, spec.Average)), of(spec.Persist, "longest", own(spec.StoreLatency, spec.Maximum)))
}

// stageRow is what one stage does.
func stageRow(b *board, s spec.Stage) {
	const width = 6
	b.graph("Events a minute", width, of(s.Name, "attempts", own(spec.BatchSize, spec.Sum)), of(s.Name, "finished", own(spec.EventThroughput, spec.Sum)),
		of(s.Name, "not started", own(spec.UnstartedEvents, spec.Sum)))
	failures := []line{of(s.Name, "failed", own(spec.FailedEvents, spec.Sum)), of(s.Name, "retried", own(spec.Retries, spec.Sum)),
		of(s.Name, "dead letters", own(spec.DLQSent, spec.Sum)), of(s.Name, "stopped by an outage", own(spec.UnavailableEvents, spec.Sum))}
	if s.Next != "" {
		failures = append(failures, of(s.Name, "not published", own(spec.PublishFailures, spec.Sum)))
	} else {
		failures = append(failures, of(s.Name, "waits for a connection", own(spec.PoolExhausted, spec.Sum)))
	}
	b.graph("Failures a minute", width, failures...)
	b.graph("Queue", width, of(s.Name, "messages", queue("ApproximateNumberOfMessagesVisible", spec.OfQueue)),
		of(s.Name, "in flight", queue("ApproximateNumberOfMessagesNotVisible", spec.OfQueue)),
		of(s.Name, "age of the oldest (s)", queue("ApproximateAgeOfOldestMessage", spec.OfQueue)))
	b.graph("Function", width, of(s.Name, "p99 duration (ms)", lambda("Duration", spec.P99)), of(s.Name, "errors", lambda("Errors", spec.Sum)),
		of(s.Name, "throttles", lambda("Throttles", spec.Sum)), of(s.Name, "at once", lambda("ConcurrentExecutions", spec.Maximum)))
}

// helpersRow is what the functions that are no stages do.
func helpersRow(b *board) {
	const width = 8
	b.graph("Redrive (dead letters)", width, of(spec.Redrive, "sent back", own(spec.RedrivenLetters, spec.Sum)),
		of(spec.Redrive, "given up", own(spec.QuarantinedLetters, spec.Sum)))
	b.graph("Stuck events", width, of(spec.Process, "in PROCESSING", own(spec.StuckEvents, spec.Maximum)))
	var errors []line
	for _, f := range []string{spec.Redrive, spec.Monitor, spec.OnCall} {
		errors = append(errors, of(f, f, lambda("Errors", spec.Sum)))
	}
	b.graph("Failed invocations", width, errors...)
}
