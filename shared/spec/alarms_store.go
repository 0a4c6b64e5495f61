package spec

import "time"

var storeAlarms = []Alarm{
	{
		Name: "store-unreachable", Severity: P1, Stages: onlyStore,
		When:     []Condition{gauge(Series{Metric: Heartbeat, Stat: Minimum}, Below, Number(1), "", time.Minute, 3, 3, MissingBreaches, monitorSilent)},
		Meaning:  "The event store cannot be written and read, or nothing is heard from the monitor that tries. Events wait in the queue; nothing is lost.",
		Causes:   []string{"MongoDB is down or without a primary", "network, credentials or certificate", "the disk is full", "the monitor itself is down"},
		Diagnose: []string{"`millrace status` fails with the store's own error.", "The log of the monitor has the error."},
		Fix:      []string{"Bring the store back: what waited is stored by itself."},
		Command:  "millrace status", Mute: MuteNever,
	},
	{
		Name: "store-slow", Severity: P3, Stages: onlyStore,
		When: []Condition{{
			Value: Series{Metric: StoreLatency, Stat: Average}, Compare: Above, Threshold: Chosen("storeLatency"), Unit: "ms",
			Period: time.Minute, M: 5, N: 5, Missing: MissingIsGood,
			MissingWhy: "Without a write there is none that is slow.",
		}},
		Meaning:  "Writes to the event store take long. Latency goes up, and the breaker opens when they run into their timeout.",
		Causes:   []string{"the disk or the CPU of the store is the bottleneck", "a missing index, or one too many", "a long query of somebody else, a backup, or an index build"},
		Diagnose: []string{"The store's own metrics: disk, CPU, locks, slow operations (`db.currentOp()`).", "Did the number or the size of events go up."},
		Fix:      []string{"Stop what competes; else more capacity, or shards.", "`millrace store init` makes the indexes that are missing."},
		Command:  "millrace status", Mute: MuteNever,
	},
	{
		Name: "pool-exhausted", Severity: P2, Stages: onlyStore, Needs: NeedsMongo,
		When: []Condition{gauge(Series{Metric: PoolExhausted, Stat: Sum}, Above, Chosen("poolExhausted"), "waits", time.Minute, 3, 5, MissingIsGood,
			"Every invocation emits it, zeros included: without one nobody waits.")},
		Meaning:  "Writes wait for a connection to the event store, or get none. Latency goes up and events are retried.",
		Causes:   []string{"the store is slow, so each connection is held for long", "the store refuses new connections: its own limit", "the pool of a function is too small for its concurrency"},
		Diagnose: []string{"StoreLatency: is the store slow.", "The store's number of connections against its limit."},
		Fix:      []string{"A slow store: see the alarm store-slow.", "Too many connections: lower the concurrency of persist, or raise the store's limit."},
		Command:  "millrace status", Mute: MuteNever,
	},
	{
		Name: "stuck-events", Severity: P3, Stages: []string{Process},
		When: []Condition{gauge(Series{Metric: StuckEvents, Stat: Minimum}, Above, Chosen("stuckEvents"), "events", 5*time.Minute, 3, 3, MissingKeeps,
			"Stuck events stay stuck until somebody resets them; that the monitor is silent is the alarm `store-unreachable`.")},
		Meaning:  "Events are in PROCESSING although their lease ended more than an hour ago: their handler died, and no message brings them back.",
		Causes:   []string{"an invocation died in an effect, and its message is gone: purged, expired, or dead-lettered", "a handler hangs"},
		Diagnose: []string{"`millrace events list --status PROCESSING` shows them with the owner and the end of the lease.", "The log of the owner's invocation.", "Is the event in the dead-letter queue: `millrace dlq show ID`."},
		Fix:      []string{"Dead-lettered: `millrace dlq redrive --stage process --execute` lets the next attempt take the lease.", "Else send the event again: the effect runs once."},
		Command:  "millrace events list --status PROCESSING", Mute: MuteNever,
	},
}
