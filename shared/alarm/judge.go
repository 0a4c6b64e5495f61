package alarm

import "github.com/millrace-pipeline/millrace/shared/spec"

// State of an alarm or a condition, as CloudWatch spells it.
type State string

// States.
const (
	OK           State = "OK"
	InAlarm      State = "ALARM"
	Insufficient State = "INSUFFICIENT_DATA" // nothing is known yet
)

// rangeOf is how many periods are looked at for a condition that judges n. CloudWatch
// looks at more than n, so that data that are late need not be filled in. Its page has no
// formula; its examples have 5 for n = 3.
func rangeOf(n int) int { return n + max(n/3, 2) }

// judge says what state a condition is in, given the values of the evaluation range, the
// oldest first. keep is true where it stays in the state that it has. With fewer values
// than the condition has periods, what is before them is neither good nor missing: nobody
// could have measured it.
//
// As many real values count as the condition has periods, the newest first; only where
// the whole range has fewer are the missing ones filled in as the condition says.
func judge(c spec.Condition, limit float64, values []Value) (s State, keep bool) {
	existing, breaching := 0, 0
	for i := len(values) - 1; i >= 0 && existing < c.N; i-- {
		if !values[i].OK {
			continue
		}
		existing++
		if c.Compare.Breaches(values[i].V, limit) {
			breaching++
		}
	}
	missing := min(c.N, len(values)) - existing
	switch {
	case breaching >= c.M:
		return InAlarm, false
	case missing == 0:
		return OK, false
	case c.Missing == spec.MissingBreaches:
		return stateOf(breaching+missing >= c.M), false
	case c.Missing == spec.MissingIsGood, breaching < existing:
		return OK, false
	}
	return "", true // spec.MissingKeeps
}

func stateOf(alarm bool) State {
	if alarm {
		return InAlarm
	}
	return OK
}
