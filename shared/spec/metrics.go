package spec

import (
	"fmt"
	"slices"
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
)

// Values of BreakerState.
const (
	BreakerClosed   = 0
	BreakerOpen     = 1
	BreakerHalfOpen = 2
)

// Metric is one row of Metrics: something that each invocation of some stages measures.
type Metric struct {
	Name      string
	Unit      Unit
	Statistic Statistic // the one that people read; alarms may use others
	Stages    []string  // those that emit it
	// Distribution: one value per event instead of one per invocation, read as percentiles.
	Distribution bool
	Meaning      string // one sentence
}

var (
	everyStage = []string{Ingest, Process, Persist}
	afterDoor  = []string{Process, Persist}
	publishers = []string{Ingest, Process}
)

// Metrics are all metrics of Millrace. Counts are emitted by every invocation, zeros
// included, so that an alarm on one is not starved of data; a rate is left out where
// there is nothing to divide by. An alarm on a rate over a period divides the sums of
// the counts: the average of ErrorRate weighs an invocation of one event like one of
// thousands.
//
// A metric costs about $0.30 a month for each stage that emits it.
var Metrics = []Metric{
	{EventThroughput, Count, Sum, everyStage, false,
		"Events that the stage finished: passed on, stored, dropped or dead-lettered; an event counts once per stage however often it was tried, and again when a crash repeats work."},
	{EventLatency, Milliseconds, P99, afterDoor, true,
		"Time from when the pipeline received an event to when it was stored, dropped or dead-lettered."},
	{ErrorRate, Percent, Average, everyStage, false,
		"Part of an invocation's events that failed, retried ones included: 100 × FailedEvents / BatchSize."},
	{FailedEvents, Count, Sum, everyStage, false,
		"Attempts at an event that failed, whether it is tried again or was dead-lettered."},
	{DeliverySuccess, Percent, Average, everyStage, false,
		"Part of the finished events that were not dead-lettered: 100 × (EventThroughput − DLQSent) / EventThroughput."},
	{BatchSize, Count, Average, everyStage, false,
		"Events in one invocation, those that come again included; the sum is the number of attempts."},
	{PackRatio, NoUnit, Average, publishers, false,
		"Bytes of the published events divided by bytes of the messages that carry them: 3 means that a message holds three times its size."},
	{DLQSent, Count, Sum, everyStage, false,
		"Dead letters that the stage wrote, messages that did not decode included."},
	{Retries, Count, Sum, everyStage, false,
		"Events that were sent back to the stage's queue or left to their source to deliver again, because an attempt failed."},
	{BreakerState, NoUnit, Maximum, []string{Persist}, false,
		"Circuit breaker of the stage's dependency when the invocation ended: 0 closed, 1 open, 2 half open."},
	{EventsStored, Count, Sum, []string{Persist}, false,
		"Events that are in the event store when the invocation ends, those that were there before included."},
	{EventsDropped, Count, Sum, []string{Process}, false,
		"Events that a handler ended on purpose."},
	{DuplicateEvents, Count, Sum, []string{Persist}, false,
		"Events that came to the store and were there already."},
	{UnstartedEvents, Count, Sum, everyStage, false,
		"Events that were sent back untried, because the invocation's time was nearly up or the breaker was open; no attempt is counted."},
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
