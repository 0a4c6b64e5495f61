package spec

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Threshold is one row of Thresholds: a number in an alarm that a deployment may choose.
type Threshold struct {
	Name     string  // lowerCamel: the key that overrides it
	Default  float64 // from the two runbooks where they name one
	Min, Max float64 // what is accepted, both inclusive
	Unit     string  // in words, "" for a bare number
	Meaning  string  // one sentence
}

// Thresholds are all numbers of alarms that a deployment may choose.
var Thresholds = []Threshold{
	{"minEvents", 100, 1, 1e9, "events", "An alarm on a rate does not judge a period with fewer events: three failures in a quiet night are no rate."},
	{"minBurnEvents", 1000, 1, 1e9, "events", "A burn rate is not judged over a window with fewer events: one failure would be a large part of the budget."},
	{"errorRateWarning", 1, 0.01, 100, "%", "Failed attempts of a stage above which the error rate is noted."},
	{"errorRateElevated", 5, 0.01, 100, "%", "Failed attempts of a stage above which somebody looks within hours."},
	{"errorRateHigh", 10, 0.01, 100, "%", "Failed attempts of a stage above which the degradation is significant."},
	{"errorRateCritical", 50, 0.01, 100, "%", "Failed attempts of a stage above which the stage counts as down."},
	{"publishFailureRate", 1, 0.01, 100, "%", "Events that the next topic or queue did not take."},
	{"availabilityFloor", 99.9, 50, 99.999, "%", "Attempts that no outage stopped, below which the platform counts as unavailable."},
	{"deliveryFloor", 99, 50, 99.999, "%", "Finished events that were not dead-lettered, below which too many are."},
	{"latencyWarning", 1000, 1, 3600e3, "ms", "The p99 of the time from received to stored that is promised."},
	{"latencyHigh", 2000, 1, 3600e3, "ms", "The p99 of the time from received to stored that pages."},
	{"throughputFloor", 50_000, 0.1, 1e7, "events/s", "Events stored a second below which a pipeline with a backlog is too slow; set it to half of what this deployment is made for."},
	{"throughputBacklog", 10_000, 1, 1e12, "records", "Kafka records that must wait for the throughput floor to be judged: little work is no slowness."},
	{"lagWarning", 1000, 1, 1e12, "records", "Kafka records that wait for ingest, above which it is noted."},
	{"lagHigh", 10_000, 1, 1e12, "records", "Kafka records that wait for ingest, above which somebody looks within hours."},
	{"lagCritical", 100_000, 1, 1e12, "records", "Kafka records that wait for ingest, above which the degradation is significant."},
	{"queueAge", 300, 1, 1209600, "s", "Age of the oldest message of a stage's queue."},
	{"stalledAge", 600, 1, 1209600, "s", "Age of the oldest message of a queue from which nothing is finished."},
	{"inFlight", 100_000, 100, 120_000, "messages", "Messages of a queue that are being worked on; SQS stops at 120,000."},
	{"dlqMessages", 100, 0, 1e9, "messages", "Messages in a dead-letter queue above which it is growing."},
	{"dlqAge", 86_400, 1, 1209600, "s", "Age of the oldest dead letter that nobody has looked at."},
	{"dlqExpiring", 864_000, 1, 1209600, "s", "Age of the oldest dead letter at which it is near the end of the retention of 14 days."},
	{"storeLatency", 1000, 1, 60e3, "ms", "The longest write to the event store of an invocation, on average."},
	{"poolExhausted", 0, 0, 1e6, "waits", "Waits for a connection of the store's pool in a minute that are accepted."},
	{"stuckEvents", 0, 0, 1e9, "events", "Events that may be stuck in PROCESSING before somebody looks."},
	{"functionErrorRate", 1, 0.01, 100, "%", "Invocations of a function that end without an answer."},
	{"functionThrottles", 10, 0, 1e9, "throttles", "Invocations a minute that Lambda may refuse for want of concurrency."},
	{"durationNearTimeout", 80, 1, 100, "%", "Part of a function's timeout that its p99 may take."},
	{"concurrencyNearLimit", 80, 1, 100, "%", "Part of the concurrency limit that a function may take."},
	{"concurrencyLimit", 1000, 1, 1e6, "executions", "The concurrency limit that a function is measured against: its reserved concurrency, else the account's."},
}

// ThresholdByName finds a row of Thresholds.
func ThresholdByName(name string) (Threshold, bool) {
	for _, t := range Thresholds {
		if t.Name == name {
			return t, true
		}
	}
	return Threshold{}, false
}

// Check reports why v is not accepted.
func (t Threshold) Check(v float64) error {
	if math.IsNaN(v) || v < t.Min || v > t.Max {
		return fmt.Errorf("%s: %s is out of range: %s to %s", t.Name, FormatNumber(v), FormatNumber(t.Min), FormatNumber(t.Max))
	}
	return nil
}

// Values are thresholds by name that differ from their defaults. nil: none does.
type Values map[string]float64

// Check reports names that are no thresholds, and values that are out of range.
func (v Values) Check() []error {
	var errs []error
	for name, x := range v {
		t, ok := ThresholdByName(name)
		if !ok {
			errs = append(errs, fmt.Errorf("there is no threshold %q", name))
			continue
		}
		if err := t.Check(x); err != nil {
			errs = append(errs, err)
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errs
}

// Of is the value of the threshold. A name that is not in Thresholds is a bug in the
// table, which its tests find: NaN, which nothing breaches.
func (v Values) Of(name string) float64 {
	if x, ok := v[name]; ok {
		return x
	}
	if t, ok := ThresholdByName(name); ok {
		return t.Default
	}
	return math.NaN()
}
