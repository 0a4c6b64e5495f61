package spec

import "time"

var redriveAlarms = []Alarm{
	{
		Name: "redrive-looping", Severity: P3, Stages: redriving,
		When: []Condition{gauge(Series{Metric: QuarantinedLetters, Stat: Sum}, Above, Number(0), "dead letters", 5*time.Minute, 1, 1, MissingIsGood,
			"dlq-redrive emits it each time it runs; that it does not run is the alarm `redrive-stopped`.")},
		Meaning:  "Dead letters failed again after every redrive that is allowed, and went to the quarantine: their cause does not pass by itself, or was not removed.",
		Causes:   []string{"a redrive before the cause was removed", "a reason that is taken for passing and is not"},
		Diagnose: []string{"`millrace dlq list`: which reasons are in the quarantine.", "`millrace dlq show ID` prints what arrived and the last error."},
		Fix:      []string{"Stop redriving by hand until the cause is removed.", "Then send the events again from `millrace dlq show --raw ID`."},
		Command:  "millrace dlq list", Mute: MuteNever,
	},
	{
		Name: "redrive-stopped", Severity: P3, Stages: redriving,
		When: []Condition{gauge(Series{Metric: RedrivenLetters, Stat: Samples}, Below, Number(1), "runs", 5*time.Minute, 3, 3, MissingBreaches,
			"The schedule runs it every five minutes, whether or not there are dead letters.")},
		Meaning:  "dlq-redrive has not run for fifteen minutes: what failed for a passing reason does not come back by itself.",
		Causes:   []string{"its schedule is disabled", "the function fails at its start"},
		Diagnose: []string{"The EventBridge rule: enabled, and its failed invocations.", "The last lines of the function's log."},
		Fix:      []string{"Enable the rule.", fixRollback, "Meanwhile: `millrace dlq redrive --passing --execute`."},
		Command:  "millrace dlq redrive --passing", Mute: MuteInDeploy,
	},
}
