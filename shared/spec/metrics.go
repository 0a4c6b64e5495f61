package spec

import (
	"fmt"
	"slices"
	"time"
)

// Namespace holds all metrics of Millrace in CloudWatch.
const Namespace = "Millrace"

// Service is the value of the dimension Service.
const Service = "millrace"

// Names of the dimensions. Each distinct combination of their values is a metric that
// is billed, and an alarm on any other combination never fires. So every metric has
// exactly these three, and what may take many values (a tenant, an event type, a
// request id) is a property of the log line instead.
const (
	DimensionService = "Service" // always the constant Service
	DimensionStage   = "Stage"   // a name of Stages
	DimensionEnv     = "Env"     // the setting Env
)

// Dimensions is the dimension set of every metric.
var Dimensions = [...]string{DimensionService, DimensionStage, DimensionEnv}

// Names of the metrics. Reports, alarms, dashboards and `millrace status` use these
// constants, so that nothing is named twice.
const (
	EventThroughput = "EventThroughput"
	EventLatency    = "EventLatency"
	ErrorRate       = "ErrorRate"
	FailedEvents    = "FailedEvents"
	DeliverySuccess = "DeliverySuccess"
	BatchSize       = "BatchSize"
	PackRatio       = "PackRatio"
	DLQSent         = "DLQSent"
	Retries         = "Retries"
	BreakerState    = "BreakerState"
	EventsStored    = "EventsStored"
	EventsDropped   = "EventsDropped"
	DuplicateEvents = "DuplicateEvents"
	UnstartedEvents = "UnstartedEvents"

	UnavailableEvents = "UnavailableEvents"
	PublishFailures   = "PublishFailures"
	SlowEvents        = "SlowEvents"
	StoreLatency      = "StoreLatency"
	PoolExhausted     = "PoolExhausted"

	RedrivenLetters    = "RedrivenLetters"
	QuarantinedLetters = "QuarantinedLetters"

	Heartbeat                 = "Heartbeat"
	ConsumerLag               = "ConsumerLag"
	UnderReplicatedPartitions = "UnderReplicatedPartitions"
	OfflinePartitions         = "OfflinePartitions"
	StuckEvents               = "StuckEvents"
)

// Unit of a metric, as CloudWatch spells it (Amazon CloudWatch API reference, MetricDatum).
type Unit string

const (
	Count        Unit = "Count"
	Percent      Unit = "Percent"
	Milliseconds Unit = "Milliseconds"
	NoUnit       Unit = "None"
)

// Statistic over a period, as CloudWatch spells it.
type Statistic string

const (
	Sum     Statistic = "Sum"
	Average Statistic = "Average"
	Minimum Statistic = "Minimum"
	Maximum Statistic = "Maximum"
	P99     Statistic = "p99"
	Samples Statistic = "SampleCount"
)

// Values of BreakerState.
const (
	BreakerClosed   = 0
	BreakerOpen     = 1
	BreakerHalfOpen = 2
)

// LatencyTarget is the time from received to stored that the latency SLO promises. Events
// that took longer are counted where they end, so that the share of slow events is exact
// over any time; percentiles of parts cannot be added up.
const LatencyTarget = time.Second

// MonitorEvery is how often the monitor measures what no invocation can: what waits, and
// whether the dependencies answer.
const MonitorEvery = time.Minute

// StuckAfter is how long after the end of its lease an event in PROCESSING counts as
// stuck. Its message comes back within the queue's visibility timeout, so by then it has
// been taken up again unless it is lost.
const StuckAfter = time.Hour

// Metric is one row of Metrics: something that each invocation of some stages, or the
// monitor, measures.
type Metric struct {
	Name      string
	Unit      Unit
	Statistic Statistic // the one that people read; alarms may use others
	Stages    []string  // those that emit it
	// Distribution: one value per event instead of one per invocation, read as percentiles.
	Distribution bool
	Meaning      string // one sentence
	// Monitored: measured by the monitor each MonitorEvery, not by invocations; Stages are
	// then those that the value is about.
	Monitored bool
}

var (
	everyStage = []string{Ingest, Process, Persist}
	afterDoor  = []string{Process, Persist}
	publishers = []string{Ingest, Process}
	onlyIngest = []string{Ingest}
	onlyStore  = []string{Persist}
	redriving  = []string{Redrive}
)

// Metrics are all metrics of Millrace. Counts are emitted by every invocation, zeros
// included, so that an alarm on one is not starved of data; a rate is left out where
// there is nothing to divide by. An alarm on a rate over a period divides the sums of
// the counts: the average of ErrorRate weighs an invocation of one event like one of
// thousands.
//
// What the monitor measures has one value each MonitorEvery, and none while the monitor or
// what it asks does not answer: an alarm on it treats silence as a failure.
//
// A metric costs about $0.30 a month for each stage that emits it.
var Metrics = []Metric{
	{EventThroughput, Count, Sum, everyStage, false,
		"Events that the stage finished: passed on, stored, dropped or dead-lettered; an event counts once per stage however often it was tried, and again when a crash repeats work.", false},
	{EventLatency, Milliseconds, P99, afterDoor, true,
		"Time from when the pipeline received an event to when it was stored, dropped or dead-lettered.", false},
	{ErrorRate, Percent, Average, everyStage, false,
		"Part of an invocation's events that failed, retried ones included: 100 × FailedEvents / BatchSize.", false},
	{FailedEvents, Count, Sum, everyStage, false,
		"Attempts at an event that failed, whether it is tried again or was dead-lettered.", false},
	{DeliverySuccess, Percent, Average, everyStage, false,
		"Part of the finished events that were not dead-lettered: 100 × (EventThroughput − DLQSent) / EventThroughput.", false},
	{BatchSize, Count, Average, everyStage, false,
		"Events in one invocation, those that come again included; the sum is the number of attempts.", false},
	{PackRatio, NoUnit, Average, publishers, false,
		"Bytes of the published events divided by bytes of the messages that carry them: 3 means that a message holds three times its size.", false},
	{DLQSent, Count, Sum, everyStage, false,
		"Dead letters that the stage wrote, messages that did not decode included.", false},
	{Retries, Count, Sum, everyStage, false,
		"Events that were sent back to the stage's queue or left to their source to deliver again, because an attempt failed.", false},
	{BreakerState, NoUnit, Maximum, []string{Persist}, false,
		"Circuit breaker of the stage's dependency when the invocation ended: 0 closed, 1 open, 2 half open.", false},
	{EventsStored, Count, Sum, []string{Persist}, false,
		"Events that are in the event store when the invocation ends, those that were there before included.", false},
	{EventsDropped, Count, Sum, []string{Process}, false,
		"Events that a handler ended on purpose.", false},
	{DuplicateEvents, Count, Sum, []string{Persist}, false,
		"Events that came to the store and were there already.", false},
	{UnstartedEvents, Count, Sum, everyStage, false,
		"Events that were sent back untried, because the invocation's time was nearly up, the store was not reached or the breaker was open; no attempt is counted.", false},
	{UnavailableEvents, Count, Sum, everyStage, false,
		"Attempts at an event that an outage stopped: a dependency did not answer, or the breaker was open.", false},
	{PublishFailures, Count, Sum, publishers, false,
		"Events that the next topic or queue did not take.", false},
	{SlowEvents, Count, Sum, afterDoor, false,
		"Events whose EventLatency is above one second, what the latency SLO promises.", false},
	{StoreLatency, Milliseconds, Maximum, onlyStore, false,
		"The longest write to the event store since the invocation before.", false},
	{PoolExhausted, Count, Sum, onlyStore, false,
		"Calls that waited a second or longer for a connection to the event store, or gave up, since the invocation before; always 0 for a store without connections.", false},
	{RedrivenLetters, Count, Sum, redriving, false,
		"Dead letters that a redrive sent back to their stage.", false},
	{QuarantinedLetters, Count, Sum, redriving, false,
		"Dead letters that came back too often, and that a redrive moved to the quarantine.", false},
	{Heartbeat, NoUnit, Minimum, []string{Ingest, Persist}, false,
		"1 while the stage's dependency answers (ingest: Kafka; persist: the event store, written and read), else 0.", true},
	{ConsumerLag, Count, Maximum, onlyIngest, false,
		"Kafka records that ingest has not committed yet, all partitions together.", true},
	{UnderReplicatedPartitions, Count, Maximum, onlyIngest, false,
		"Partitions of the topic with fewer replicas in sync than they should have: a broker is down or slow.", true},
	{OfflinePartitions, Count, Maximum, onlyIngest, false,
		"Partitions of the topic without a leader: they can be neither read nor written.", true},
	{StuckEvents, Count, Maximum, []string{Process}, false,
		"Events in PROCESSING whose lease ended more than an hour ago.", true},
}

// MetricByName finds a metric of Metrics.
func MetricByName(name string) (Metric, bool) {
	for _, m := range Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// EmittedBy reports whether the stage emits the metric.
func (m Metric) EmittedBy(stage string) bool { return slices.Contains(m.Stages, stage) }

// CheckDimension reports why CloudWatch would not take v as the value of a dimension:
// 1 to 1,024 printable ASCII characters, not all of them blank (Amazon CloudWatch API
// reference, Dimension). CloudWatch drops the metrics of a log line that breaks this
// without a word.
func CheckDimension(v string) error {
	blank := true
	for i := 0; i < len(v); i++ {
		if v[i] < ' ' || v[i] > '~' {
			return fmt.Errorf("dimension value %q: only printable ASCII characters are allowed", v)
		}
		blank = blank && v[i] == ' '
	}
	if blank || len(v) > 1024 {
		return fmt.Errorf("dimension value of %d characters: 1 to 1024 are allowed, not all of them blank", len(v))
	}
	return nil
}
