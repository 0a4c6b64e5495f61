package spec

import "time"

// failed and attempts are what the error rate of a stage is made of.
var (
	failed   = Series{Metric: FailedEvents, Stat: Sum}
	attempts = Series{Metric: BatchSize, Stat: Sum}
	finished = Series{Metric: EventThroughput, Stat: Sum}
	outages  = Series{Metric: UnavailableEvents, Stat: Sum}
	dead     = Series{Metric: DLQSent, Stat: Sum}
	refused  = Series{Metric: PublishFailures, Stat: Sum}
)

const noInvocation = "Every invocation emits the counts, zeros included: no data means that there was nothing to do. That something waits and is not taken is the alarm `stalled`."

const (
	causeOutage  = "a dependency is down or slow: the event store, the next topic, a claim-check bucket"
	causeRelease = "a release: a handler that fails, or a stricter schema"
	causeSender  = "a producer sends events that are refused"
	lookReasons  = "The reasons of the failures: `millrace dlq list` counts them, the log query \"errors by reason\" has those that are retried."
	fixRollback  = "If it began with a deployment, roll it back."
	fixRedrive   = "When the cause is gone, send the dead letters back: `millrace dlq redrive --execute`."
)

// rate is a condition on the percentage of events to which something happened.
func rate(label string, part, whole Series, threshold string, period time.Duration, n int) []Condition {
	return []Condition{{
		Label: label, Value: Ratio(100, part, whole, "minEvents"), Compare: Above, Threshold: Chosen(threshold), Unit: "%",
		Period: period, M: n, N: n, Missing: MissingIsGood, MissingWhy: noInvocation,
	}}
}

// errorRate is an alarm on the error rate of each stage.
func errorRate(name, severity, threshold, meaning string, period time.Duration, n int, mute Mute) Alarm {
	return Alarm{
		Name: name, Severity: severity, Stages: everyStage, When: rate("error rate", failed, attempts, threshold, period, n),
		Meaning:  meaning,
		Causes:   []string{causeOutage, causeRelease, causeSender},
		Diagnose: []string{lookReasons, "If one reason stands out, its row in docs/REASONS.md says what it means.", "Compare the time it began with the last deployment."},
		Fix:      []string{fixRollback, "Else remove the cause that the reason names: nothing is lost meanwhile, failed events are retried and then dead-lettered with their bytes.", fixRedrive},
		Command:  "millrace dlq list", Mute: mute,
	}
}

var errorAlarms = []Alarm{
	errorRate("error-rate-critical", P1, "errorRateCritical",
		"Most events of the stage fail. It counts as down; failed events are retried and then dead-lettered.", time.Minute, 3, MuteNever),
	errorRate("error-rate-high", P2, "errorRateHigh",
		"A large part of the stage's events fails: retries delay them, and those that go on failing become dead letters.", time.Minute, 5, MuteNever),
	errorRate("error-rate-elevated", P3, "errorRateElevated",
		"More of the stage's events fail than the alert threshold of the error-rate SLO.", 5*time.Minute, 2, MuteNever),
	errorRate("error-rate-warning", P4, "errorRateWarning",
		"More of the stage's events fail than usual.", 5*time.Minute, 2, MuteInDeploy),
	{
		Name: "availability", Severity: P2, Stages: everyStage,
		When: []Condition{{
			Label: "availability", Value: RatioLeft(outages, attempts, "minEvents"), Compare: Below, Threshold: Chosen("availabilityFloor"), Unit: "%",
			Period: 5 * time.Minute, M: 3, N: 3, Missing: MissingIsGood, MissingWhy: noInvocation,
		}},
		Meaning:  "The platform is less available than its SLO allows: something the stage depends on does not answer, and events wait or are retried because of it.",
		Causes:   []string{"the event store is unreachable or too slow", "SNS, SQS or S3 refuse calls (throttling, permissions, a deleted resource)", "the circuit breaker is open"},
		Diagnose: []string{"`millrace status`: which queue fills up, and how old is its oldest message.", lookReasons},
		Fix:      []string{"Bring the dependency back; the breaker closes by itself and what waited is worked off.", fixRedrive},
		Command:  "millrace status", Mute: MuteNever,
	},
	{
		Name: "delivery", Severity: P2, Stages: everyStage,
		When: []Condition{{
			Label: "delivery", Value: RatioLeft(dead, finished, "minEvents"), Compare: Below, Threshold: Chosen("deliveryFloor"), Unit: "%",
			Period: 5 * time.Minute, M: 3, N: 3, Missing: MissingIsGood, MissingWhy: noInvocation,
		}},
		Meaning:  "Too many events end as dead letters instead of in the event store. Their bytes are kept for 14 days.",
		Causes:   []string{causeSender, causeRelease, "an outage that lasted longer than all attempts of an event"},
		Diagnose: []string{"`millrace dlq list` says which reasons, and how many of each.", "`millrace dlq show ID` prints what arrived."},
		Fix:      []string{"Fix the producer or the handler that the reason names.", fixRedrive},
		Command:  "millrace dlq list", Mute: MuteNever,
	},
	{
		Name: "publish-failures", Severity: P3, Stages: publishers, When: rate("share of refused events", refused, attempts, "publishFailureRate", 5*time.Minute, 2),
		Meaning:  "The next topic or queue does not take all events. They are retried, so they are late; those that fail on every attempt become dead letters.",
		Causes:   []string{"the publish quota of SNS in this region is used up (throttling)", "a permission or the KMS key of the topic was changed", "SNS is degraded"},
		Diagnose: []string{"The error texts: the log query \"errors by reason\", reason publish_failed.", "The quota: SNS counts messages, 300 to 30,000 a second by region."},
		Fix:      []string{"Throttled: ask for a higher quota, or lower the concurrency of the event source.", "Refused: roll back the change of the policy or the key.", "`millrace dlq redrive --reason publish_failed --execute` when the topic takes events again."},
		Command:  "millrace dlq list --reason publish_failed", Mute: MuteNever,
	},
}
