package spec

import "time"

var (
	slow  = Series{Metric: SlowEvents, Stat: Sum}
	ended = Series{Metric: EventLatency, Stat: Samples}
)

func latencyAbove(name, severity, threshold, meaning string, period time.Duration, n int, mute Mute) Alarm {
	return Alarm{
		Name: name, Severity: severity, Stages: afterDoor,
		When: []Condition{{
			Label: "p99 EventLatency",
			Value: If{Op{">=", ended, Chosen("minEvents")}, Series{Metric: EventLatency, Stat: P99}, Number(0)}, Compare: Above, Threshold: Chosen(threshold), Unit: "ms",
			Period: period, M: n, N: n, Missing: MissingIsGood,
			MissingWhy: "EventLatency has a value for each event that ends in the stage: no data means that no event ended. Events that wait and do not end are the alarms `stalled` and `queue-age`.",
		}},
		Meaning: meaning,
		Causes:  []string{"events wait in a queue or in Kafka: more arrive than are worked off", "the event store is slow", "a handler is slow", "events are retried: the latency counts from their first arrival", "a redrive is running: dead letters keep their time of arrival"},
		Diagnose: []string{"`millrace status`: which queue has the oldest message, and is ingest behind Kafka.",
			"The log query \"slowest invocations\": which stage takes long.", "The metric StoreLatency: does the store take long."},
		Fix:     []string{"A full queue: more concurrency for the stage behind it.", "A slow store: its own metrics; more capacity, or the missing index.", "After a redrive: nothing, it passes."},
		Command: "millrace status", Mute: mute,
	}
}

var latencyAlarms = []Alarm{
	latencyAbove("latency-high", P2, "latencyHigh", "Events take much longer than promised from their arrival to their end (p99).", time.Minute, 5, MuteInDeploy),
	latencyAbove("latency-warning", P4, "latencyWarning", "Events take longer than promised from their arrival to their end (p99).", 5*time.Minute, 3, MuteInDeploy),
}
