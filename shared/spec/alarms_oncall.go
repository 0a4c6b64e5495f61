package spec

import "time"

// onCallAlarms are on the function that makes the pages of all other alarms. They page
// past it: Pager.Topic.
var onCallAlarms = []Alarm{
	{
		Name: "on-call-errors", Severity: P1, Stages: []string{OnCall}, Needs: NeedsTopics,
		When: []Condition{gauge(lambda("Errors", Sum), Above, Number(0), "errors", time.Minute, 2, 3, MissingIsGood,
			"No invocation, no error; that there is no invocation is the alarm `on-call-silent`.")},
		Meaning:  "The function that makes the pages of all alarms fails: pages may be late, may not escalate, or may not go out.",
		Causes:   []string{"a bad release of on-call", "a permission, the bucket of the open pages, or the KMS key was changed", "SNS, S3 or CloudWatch refuse calls"},
		Diagnose: []string{"The log of on-call has the error.", "`millrace alarms list`: what is in ALARM now. Do not wait for its page."},
		Fix:      []string{fixRollback, "Else mend what the log names. What could not be published is published again every minute."},
		Command:  "millrace alarms list", Mute: MuteNever,
	},
	{
		Name: "on-call-silent", Severity: P1, Stages: []string{OnCall}, Needs: NeedsTopics,
		When: []Condition{gauge(lambda("Invocations", Sum), Below, Number(1), "invocations", OnCallEvery, 5, 5, MissingBreaches,
			"The schedule invokes it every minute: without an invocation nothing escalates.")},
		Meaning:  "The function that makes the pages has not run for five minutes: a page that nobody answers does not go to the next.",
		Causes:   []string{"its schedule is disabled", "Lambda refuses to start it: no concurrency is left"},
		Diagnose: []string{"The EventBridge rule: enabled, and its failed invocations.", "Throttles of on-call, and the account's concurrency.", "`millrace alarms list`: what is in ALARM now. Do not wait for its page."},
		Fix:      []string{"Enable the rule, or give the account concurrency.", fixRollback},
		Command:  "millrace alarms list", Mute: MuteNever,
	},
	{
		Name: "on-call-undelivered", Severity: P1, Stages: []string{OnCall}, Needs: NeedsTopics,
		When:     []Condition{gauge(visible(OfDLQ), Above, Number(0), "messages", time.Minute, 1, 1, MissingIsGood, idleQueue)},
		Meaning:  "On-call could not be invoked, or failed on every attempt: a page did not go out, or did not go on to the next.",
		Causes:   []string{"on-call was down for longer than Lambda's retries", "SNS may not invoke on-call"},
		Diagnose: []string{"Read the messages in the queue on-call-dlq: those that are no schedule name the alarms that changed their state.", "`millrace alarms list`: what is in ALARM now."},
		Fix:      []string{"See to the alarms that the messages name, then delete the messages.", "The log of on-call says why it failed."},
		Command:  "millrace alarms list", Mute: MuteNever,
	},
}
