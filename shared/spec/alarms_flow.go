package spec

import "time"

// gauge is a condition on a value that is there whether or not anything happens.
func gauge(s Series, compare Comparison, threshold Expr, unit string, period time.Duration, m, n int, missing Missing, why string) Condition {
	return Condition{
		Value: s, Compare: compare, Threshold: threshold, Unit: unit, Period: period, M: m, N: n,
		Missing: missing, MissingWhy: why,
	}
}

// named gives a condition a name, for an alarm of several.
func (c Condition) named(name string) Condition {
	c.Name = name
	return c
}

const idleQueue = "SQS emits nothing for a queue that has been empty and unused for six hours: nothing waits."

func oldest(of Resource) Series {
	return Series{Namespace: AWSSQS, Metric: "ApproximateAgeOfOldestMessage", Stat: Maximum, Of: of}
}

func visible(of Resource) Series {
	return Series{Namespace: AWSSQS, Metric: "ApproximateNumberOfMessagesVisible", Stat: Maximum, Of: of}
}

var flowAlarms = []Alarm{
	{
		Name: "stalled", Severity: P1, Stages: everyStage,
		When: []Condition{
			gauge(oldest(OfQueue), Above, Chosen("stalledAge"), "s", time.Minute, 5, 5, MissingIsGood, idleQueue).named("waiting"),
			gauge(finished, Below, Number(1), "events", time.Minute, 10, 10, MissingBreaches,
				"A stage that is not invoked emits nothing: with messages waiting, that is the failure itself.").named("nothing-finished"),
		},
		Meaning:  "Messages wait for the stage and it finishes nothing: that part of the pipeline is down. Nothing is lost while the messages wait.",
		Causes:   []string{"the event source mapping of the function is disabled or broken", "every invocation fails: a bad release, a missing permission or secret", "the circuit breaker is open since the event store is down", "the function has no concurrency left"},
		Diagnose: []string{"`millrace status`: how much waits, and since when.", "Is the event source mapping enabled, and what is its last result.", "Do invocations end in errors: the alarm function-errors, and the function's log."},
		Fix:      []string{"Enable the event source mapping.", fixRollback, "Bring the event store back: the breaker closes by itself."},
		Command:  "millrace status", Mute: MuteNever,
	},
	{
		Name: "queue-age", Severity: P3, Stages: everyStage,
		When:     []Condition{gauge(oldest(OfQueue), Above, Chosen("queueAge"), "s", time.Minute, 5, 5, MissingIsGood, idleQueue)},
		Meaning:  "Messages wait longer in the stage's queue than they should: events are late.",
		Causes:   []string{"more events arrive than the stage works off", "the stage is slow, or fails and retries", "the event source has too little concurrency"},
		Diagnose: []string{"`millrace status --watch`: does the queue grow or shrink.", "Errors, throttles and duration of the function."},
		Fix:      []string{"It shrinks: wait.", "It grows: raise the maximum concurrency of the event source, or the capacity of what the stage waits for."},
		Command:  "millrace status", Mute: MuteInDeploy,
	},
	{
		Name: "in-flight", Severity: P2, Stages: everyStage,
		When: []Condition{gauge(Series{Namespace: AWSSQS, Metric: "ApproximateNumberOfMessagesNotVisible", Stat: Maximum, Of: OfQueue},
			Above, Chosen("inFlight"), "messages", time.Minute, 3, 3, MissingIsGood, idleQueue)},
		Meaning:  "So many messages of the queue are being worked on or waiting out a failed attempt that SQS will soon hand out no more (120,000).",
		Causes:   []string{"most attempts fail, and their messages wait for the visibility timeout", "invocations hang until their timeout"},
		Diagnose: []string{"The error rate and the duration of the stage.", lookReasons},
		Fix:      []string{"Remove what makes the attempts fail or hang: the messages come back by themselves."},
		Command:  "millrace status", Mute: MuteNever,
	},
	{
		Name: "throughput-floor", Severity: P2, Stages: onlyStore, Needs: NeedsKafka,
		When: []Condition{
			gauge(Series{Metric: ConsumerLag, Stat: Minimum, Stage: Ingest}, Above, Chosen("throughputBacklog"), "records", 5*time.Minute, 1, 1,
				MissingIsGood, "Without the lag nobody knows of a backlog; that the monitor is silent is the alarm `kafka-unreachable`.").named("backlog"),
			{
				Name:  "slow",
				Label: "rate of stored events",
				Value: Op{"/", Series{Metric: EventsStored, Stat: Sum}, Seconds()}, Compare: Below, Threshold: Chosen("throughputFloor"), Unit: "events/s",
				Period: 5 * time.Minute, M: 1, N: 1, Missing: MissingBreaches,
				MissingWhy: "Nothing stored while there is a backlog is the slowest throughput of all.",
			},
		},
		Meaning:  "There is a backlog, and the pipeline stores fewer events a second than it is made for: the backlog will not go away, and Kafka's retention is the limit.",
		Causes:   []string{"the event store is the bottleneck", "a function is throttled or has too little concurrency", "the Kafka topic has too few partitions for the load"},
		Diagnose: []string{"`millrace status`: the last queue that is full is before the bottleneck.", "StoreLatency, throttles, and the concurrency of each function."},
		Fix:      []string{"Give the bottleneck more: capacity of the store, concurrency of the function, pollers of the event source, partitions of the topic.", "A small deployment: lower the threshold throughputFloor to half of what it is made for."},
		Command:  "millrace status --watch", Mute: MuteNever,
	},
	{
		Name: "breaker-open", Severity: P1, Stages: onlyStore,
		When: []Condition{gauge(Series{Metric: BreakerState, Stat: Maximum}, AtLeast, Number(BreakerOpen), "", time.Minute, 5, 5, MissingIsGood,
			"Each invocation of persist emits the state: without one nothing waits for the store.")},
		Meaning:  "The circuit breaker around the event store has been open for five minutes: nothing is stored. Events wait in the queue and count no attempt, so nothing is dead-lettered or lost.",
		Causes:   []string{"the event store is down, unreachable, or without a primary", "its password was changed, or its certificate has expired", "it is so slow that writes run into their timeout"},
		Diagnose: []string{"Is the event store up, and can the function reach it: network, credentials, primary.", "The error texts: the log query \"errors by reason\", reasons store_unreachable and store_unavailable."},
		Fix:      []string{"Bring the store back. The breaker tries again by itself and closes; what waited is stored.", "Nothing needs to be replayed."},
		Command:  "millrace status", Mute: MuteNever,
	},
}
