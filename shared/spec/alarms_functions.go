package spec

import "time"

// functions are the stages whose functions AWS Lambda measures.
var functions = []string{Ingest, Process, Persist, Redrive}

const notInvoked = "Lambda emits it only when the function is invoked; that a stage is not invoked although it has work is the alarm `stalled`."

func lambda(metric string, stat Statistic) Series {
	return Series{Namespace: AWSLambda, Metric: metric, Stat: stat, Of: OfFunction}
}

// percentOf is the part of whole that a threshold in percent says.
func percentOf(threshold string, whole Expr) Expr {
	return Op{"/", Op{"*", Chosen(threshold), whole}, Number(100)}
}

var functionAlarms = []Alarm{
	{
		Name: "function-errors", Severity: P2, Stages: functions,
		When: []Condition{{
			Label: "share of failed invocations",
			// Not gated by a number of invocations: each carries up to thousands of events,
			// and dlq-redrive has one in five minutes.
			Value:   Op{"/", Op{"*", Number(100), lambda("Errors", Sum)}, lambda("Invocations", Sum)},
			Compare: Above, Threshold: Chosen("functionErrorRate"), Unit: "%",
			Period: 5 * time.Minute, M: 2, N: 3, Missing: MissingIsGood, MissingWhy: notInvoked,
		}},
		Meaning:  "Invocations of the function end without an answer: a crash, a timeout, out of memory, or a failed start. Their messages come again, and after 8 times SQS dead-letters them without a reason.",
		Causes:   []string{"a bad release, or a setting that is not valid", "a secret, a queue or the store is missing, or may not be used", "out of memory, or the timeout"},
		Diagnose: []string{"The log query \"slowest invocations\", and the last lines of the function's log: the error is there.", "Did it begin with a deployment."},
		Fix:      []string{fixRollback, "Else mend what the log names."},
		Command:  "millrace status", Mute: MuteNever,
	},
	{
		Name: "function-throttles", Severity: P3, Stages: functions,
		When:     []Condition{gauge(lambda("Throttles", Sum), Above, Chosen("functionThrottles"), "throttles", time.Minute, 5, 5, MissingIsGood, notInvoked)},
		Meaning:  "Lambda refuses to start the function: there is no concurrency left. Messages wait and are late.",
		Causes:   []string{"the function's reserved concurrency is used up", "other functions use up the account's concurrency", "the event source may start more than is reserved"},
		Diagnose: []string{"ConcurrentExecutions of the function against its reservation, and of the account against its limit."},
		Fix:      []string{"Raise the reservation or the account's limit, or lower the maximum concurrency of the event source to it."},
		Command:  "millrace status", Mute: MuteInDeploy,
	},
	{
		Name: "function-duration", Severity: P3, Stages: functions,
		When: []Condition{{
			Value: lambda("Duration", P99), Compare: Above, Threshold: percentOf("durationNearTimeout", Timeout()), Unit: "ms",
			Period: time.Minute, M: 5, N: 5, Missing: MissingIsGood, MissingWhy: notInvoked, LowSamples: LowSamplesCount,
		}},
		Meaning:  "Invocations take nearly as long as they may (p99). What a stage cannot start in time goes back to the queue, so it works in circles.",
		Causes:   []string{"what the stage waits for is slow: the store, a handler's dependency", "the batch is too large for the timeout"},
		Diagnose: []string{"The log query \"slowest invocations\".", "StoreLatency, and UnstartedEvents: what is sent back untried."},
		Fix:      []string{"Mend what is slow; else a smaller batch or more memory (CPU grows with it)."},
		Command:  "millrace status", Mute: MuteInDeploy,
	},
	{
		Name: "function-concurrency", Severity: P3, Stages: functions,
		When: []Condition{{
			Value: lambda("ConcurrentExecutions", Maximum), Compare: Above, Threshold: percentOf("concurrencyNearLimit", Chosen("concurrencyLimit")), Unit: "executions",
			Period: time.Minute, M: 5, N: 5, Missing: MissingIsGood, MissingWhy: notInvoked,
		}},
		Meaning:  "The function runs nearly as often at once as it may: with more load it is throttled.",
		Causes:   []string{"the load has grown", "invocations take longer, so more run at once"},
		Diagnose: []string{"Duration: did it grow. EventThroughput: did the load."},
		Fix:      []string{"Raise the concurrency before it is used up; or mend what made invocations slower."},
		Command:  "millrace status", Mute: MuteInDeploy,
	},
}
