package spec

import "time"

func dlqAge(name, severity string, of Resource, stages []string, threshold, meaning string) Alarm {
	return Alarm{
		Name: name, Severity: severity, Stages: stages,
		When:     []Condition{gauge(oldest(of), Above, Chosen(threshold), "s", 5*time.Minute, 1, 1, MissingIsGood, idleQueue)},
		Meaning:  meaning,
		Causes:   []string{"dead letters whose reason does not pass by itself wait for a person", "dlq-redrive does not run"},
		Diagnose: []string{"`millrace dlq list`: which reasons, and what each needs.", "`millrace dlq show ID` prints what arrived."},
		Fix:      []string{"Remove the cause that the reason names.", fixRedrive},
		Command:  "millrace dlq list", Mute: MuteNever,
	}
}

var deadLetterAlarms = []Alarm{
	{
		Name: "dlq-growing", Severity: P3, Stages: everyStage,
		When:     []Condition{gauge(visible(OfDLQ), Above, Chosen("dlqMessages"), "messages", 5*time.Minute, 3, 3, MissingIsGood, idleQueue)},
		Meaning:  "Dead letters of the stage pile up: events that failed for good, or on every attempt. Their bytes are kept for 14 days.",
		Causes:   []string{causeSender, causeRelease, "an outage that lasted longer than all attempts of an event"},
		Diagnose: []string{"`millrace dlq list`: which reasons, and since when.", "`millrace dlq show ID` prints what arrived."},
		Fix:      []string{"Fix the producer or the handler that the reason names.", fixRedrive},
		Command:  "millrace dlq list", Mute: MuteNever,
	},
	dlqAge("dlq-expiring", P2, OfDLQ, everyStage, "dlqExpiring",
		"Dead letters of the stage are near the end of their retention of 14 days: then SQS deletes them, and the events are lost."),
	dlqAge("dlq-age", P4, OfDLQ, everyStage, "dlqAge",
		"Dead letters of the stage have waited for a day and nobody has looked at them."),
	dlqAge("quarantine-expiring", P2, OfQuarantine, redriving, "dlqExpiring",
		"Dead letters in the quarantine are near the end of their retention of 14 days: then SQS deletes them, and the events are lost."),
	{
		Name: "undelivered", Severity: P2, Stages: afterDoor, Needs: NeedsTopics,
		When:     []Condition{gauge(visible(OfUndelivered), Above, Number(0), "messages", time.Minute, 1, 1, MissingIsGood, idleQueue)},
		Meaning:  "SNS could not hand messages to the stage's queue, and put them into the subscription's own dead-letter queue. Their events are held up there.",
		Causes:   []string{"the policy of the queue or its KMS key refuses the topic", "the queue was deleted or made anew"},
		Diagnose: []string{"`millrace dlq list`: how many events, since when.", "What changed: queue policy, key policy, subscription. The messages themselves do not say."},
		Fix:      []string{"Mend the policy: dlq-redrive then brings them back within five minutes.", "At once: `millrace dlq redrive --reason undelivered`, then the same with --execute."},
		Command:  "millrace dlq list --reason undelivered", Mute: MuteNever,
	},
	{
		Name: "notifications-lost", Severity: P1, Stages: afterDoor, Needs: NeedsTopics,
		When: []Condition{gauge(Series{Namespace: AWSSNS, Metric: "NumberOfNotificationsFailedToRedriveToDlq", Stat: Sum, Of: OfTopic},
			Above, Number(0), "messages", time.Minute, 1, 1, MissingIsGood, "SNS emits it only when it happens.")},
		Meaning:  "SNS could deliver messages neither to the stage's queue nor to the subscription's dead-letter queue: their events are lost to the pipeline.",
		Causes:   []string{"the policy or the KMS key of both queues refuses SNS", "both queues were deleted"},
		Diagnose: []string{"What changed: queue policies, key policy, subscription.", "From when on: the events of that time are in Kafka, or with their senders."},
		Fix:      []string{"Mend the policies at once.", "Then send the events of that time again: each is stored once, so sending too many does no harm."},
		Command:  "millrace status", Mute: MuteNever,
	},
}
