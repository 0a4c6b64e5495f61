package spec

import "time"

const monitorSilent = "The monitor emits it every minute: silence means that the monitor is down or gets no answer, and then nobody knows."

const lagUnknown = "The lag is emitted every minute; that it is missing is the alarm `kafka-unreachable`, which pages with the right text."

func kafkaProbe(metric string, stat Statistic, compare Comparison, threshold Expr, unit string, m, n int, missing Missing, why string) []Condition {
	return []Condition{gauge(Series{Metric: metric, Stat: stat}, compare, threshold, unit, time.Minute, m, n, missing, why)}
}

func lagAbove(name, severity, threshold, meaning string, mute Mute) Alarm {
	return Alarm{
		Name: name, Severity: severity, Stages: onlyIngest, Needs: NeedsKafka,
		When:     kafkaProbe(ConsumerLag, Minimum, Above, Chosen(threshold), "records", 5, 5, MissingIsGood, lagUnknown),
		Meaning:  meaning,
		Causes:   []string{"more records arrive than ingest reads", "ingest fails on a record and repeats its batch", "ingest cannot publish", "the consumer group is rebalancing all the time", "too few partitions or pollers"},
		Diagnose: []string{"`millrace status --watch`: does the lag grow or shrink.", "The error rate of ingest: a record that fails again and again holds up its partition.", "One partition far behind: a hot key, or the failing record."},
		Fix:      []string{"It shrinks: wait.", "Errors: remove their cause.", "Else more pollers (at most one for each partition), then more partitions."},
		Command:  "millrace status", Mute: mute,
	}
}

var kafkaAlarms = []Alarm{
	{
		Name: "kafka-unreachable", Severity: P1, Stages: onlyIngest, Needs: NeedsKafka,
		When:     kafkaProbe(Heartbeat, Minimum, Below, Number(1), "", 2, 3, MissingBreaches, monitorSilent),
		Meaning:  "Kafka does not answer, or nothing is heard from the monitor that asks it: no data comes from Kafka, and producers may be refused.",
		Causes:   []string{"the cluster or its network is down", "credentials or certificates have expired", "the topic was deleted", "the monitor itself is down"},
		Diagnose: []string{"`millrace status`: does Kafka answer from here.", "The log of the monitor has the error.", "The state of the cluster, its security groups, its certificates."},
		Fix:      []string{"Bring the brokers back one at a time.", "Ingest goes on where it had committed: nothing needs to be replayed unless records passed their retention."},
		Command:  "millrace status", Mute: MuteNever,
	},
	{
		Name: "kafka-offline-partitions", Severity: P1, Stages: onlyIngest, Needs: NeedsKafka,
		When:     kafkaProbe(OfflinePartitions, Maximum, Above, Number(0), "partitions", 2, 3, MissingKeeps, "What was offline stays so until Kafka says otherwise; its silence is the alarm `kafka-unreachable`."),
		Meaning:  "Partitions of the topic have no leader: their records can be neither written nor read.",
		Causes:   []string{"more brokers are down than the replication factor allows"},
		Diagnose: []string{"Which brokers are down, and which partitions they led."},
		Fix:      []string{"Bring the brokers back. Do not allow unclean leader election while a replica can still return: it loses records."},
		Command:  "millrace status", Mute: MuteNever,
	},
	{
		Name: "kafka-broker-down", Severity: P2, Stages: onlyIngest, Needs: NeedsKafka,
		When:     kafkaProbe(UnderReplicatedPartitions, Maximum, Above, Number(0), "partitions", 5, 5, MissingKeeps, "What was missing stays so until Kafka says otherwise; its silence is the alarm `kafka-unreachable`."),
		Meaning:  "Partitions have fewer replicas in sync than they should: a broker is down or cannot keep up. One more failure may stop writes or lose records.",
		Causes:   []string{"a broker is down", "a broker's disk or network is the bottleneck", "maintenance by the provider"},
		Diagnose: []string{"Which broker is missing from the replicas in sync, and its disk, CPU and network."},
		Fix:      []string{"Restart or replace the broker; wait until all replicas are in sync before touching the next one."},
		Command:  "millrace status", Mute: MuteNever,
	},
	{
		Name: "kafka-no-controller", Severity: P1, Stages: onlyIngest, Needs: NeedsMSK,
		When: []Condition{gauge(Series{Namespace: AWSKafka, Metric: "ActiveControllerCount", Stat: Maximum, Of: OfCluster},
			Below, Number(1), "controllers", time.Minute, 3, 3, MissingBreaches, "MSK emits it every minute as long as the cluster lives.")},
		Meaning:  "The MSK cluster has no active controller: no leader can be elected, and the next broker that fails takes its partitions with it.",
		Causes:   []string{"the cluster's controllers are down", "the cluster was deleted"},
		Diagnose: []string{"The state of the cluster in the MSK console, and its events."},
		Fix:      []string{"Open a case with AWS: controllers of MSK are managed."},
		Command:  "millrace status", Mute: MuteNever,
	},
	{
		Name: "kafka-stalled", Severity: P1, Stages: onlyIngest, Needs: NeedsKafka,
		When: []Condition{
			gauge(Series{Metric: ConsumerLag, Stat: Minimum}, AtLeast, Number(1), "records", time.Minute, 5, 5, MissingIsGood, lagUnknown).named("waiting"),
			gauge(finished, Below, Number(1), "events", time.Minute, 5, 5, MissingBreaches,
				"An ingest that is not invoked emits nothing: with records waiting, that is the failure itself.").named("nothing-finished"),
		},
		Meaning:  "Records wait in Kafka and ingest takes none: no event gets into the pipeline. They are safe until the topic's retention ends.",
		Causes:   []string{"the Kafka event source mapping is disabled or cannot log in", "every invocation fails on the same record", "the consumer group is held by somebody else"},
		Diagnose: []string{"`millrace status`: how far behind, and since when.", "The event source mapping: enabled, and its last result.", "The log of ingest: the same error again and again names the record."},
		Fix:      []string{"Enable the mapping or mend its credentials.", fixRollback, "Do not reset the offsets to the end: that loses the records between."},
		Command:  "millrace status", Mute: MuteNever,
	},
	lagAbove("consumer-lag-critical", P2, "lagCritical", "Ingest is far behind Kafka: events are minutes late, and the lag may outlive the topic's retention.", MuteNever),
	lagAbove("consumer-lag-high", P3, "lagHigh", "Ingest is behind Kafka: events are late.", MuteInDeploy),
	lagAbove("consumer-lag-warning", P4, "lagWarning", "Ingest has been somewhat behind Kafka for five minutes.", MuteInDeploy),
	{
		Name: "kafka-failed", Severity: P2, Stages: onlyIngest, Needs: NeedsKafka,
		When:     []Condition{gauge(visible(OfKafkaFailed), Above, Number(0), "messages", time.Minute, 1, 1, MissingIsGood, idleQueue)},
		Meaning:  "Lambda gave up on a batch of Kafka records and went on: they are not in the pipeline. The message says which offsets; the records are in Kafka until its retention ends.",
		Causes:   []string{"records older than the maximum record age of the mapping", "more failed attempts than the mapping's limit"},
		Diagnose: []string{"`millrace dlq list --reason kafka_discarded`: topic, partition and offsets, and Lambda's reason.", "Why did ingest fail on them: its log at that time."},
		Fix: []string{
			"Remove the cause.",
			"Before the topic's retention ends: `millrace dlq redrive --reason kafka_discarded --kafka BROKERS`, which says what would be sent and what is lost already; then the same with --execute.",
		},
		Command: "millrace dlq list --reason kafka_discarded", Mute: MuteNever,
	},
}
