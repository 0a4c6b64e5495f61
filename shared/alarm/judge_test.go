package alarm

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// read makes values of the notation of the User Guide: 0 is good, X breaches, - is missing.
func read(points string) []Value {
	var values []Value
	for _, p := range strings.Fields(points) {
		switch p {
		case "0":
			values = append(values, Value{0, true})
		case "X":
			values = append(values, Value{1, true})
		default:
			values = append(values, Value{})
		}
	}
	return values
}

const keep State = "keep"

func judged(m, n int, missing spec.Missing, values []Value) State {
	s, kept := judge(spec.Condition{Compare: spec.Above, M: m, N: n, Missing: missing}, 0.5, values)
	if kept {
		return keep
	}
	return s
}

// The two tables of "How alarm state is evaluated when data is missing" (Amazon CloudWatch
// User Guide, "Configuring how CloudWatch alarms treat missing data"), oldest point first.
func TestTablesOfTheUserGuide(t *testing.T) {
	for _, c := range []struct {
		m, n                  int
		points                string
		ignored, bad, notABad State
	}{
		{3, 3, "0 - X - X", OK, OK, OK},
		{3, 3, "- - - - 0", OK, OK, OK},
		{3, 3, "- - - - -", keep, InAlarm, OK},
		{3, 3, "0 X X - X", InAlarm, InAlarm, InAlarm},
		{3, 3, "- - X - -", keep, InAlarm, OK},

		{2, 3, "0 - X - X", InAlarm, InAlarm, InAlarm},
		{2, 3, "0 0 X 0 X", InAlarm, InAlarm, InAlarm},
		{2, 3, "0 - X - -", OK, InAlarm, OK},
		{2, 3, "- - - - 0", OK, InAlarm, OK},
		{2, 3, "- - - X -", keep, InAlarm, OK},
	} {
		values := read(c.points)
		if len(values) != rangeOf(c.n) {
			t.Fatalf("%q: the range is %d", c.points, rangeOf(c.n))
		}
		for missing, want := range map[spec.Missing]State{
			spec.MissingKeeps: c.ignored, spec.MissingBreaches: c.bad, spec.MissingIsGood: c.notABad,
		} {
			if got := judged(c.m, c.n, missing, values); got != want {
				t.Errorf("%d of %d, %s, missing is %s: %s, want %s", c.m, c.n, c.points, missing, got, want)
			}
		}
	}
}

// With all data there, it is M of the last N and nothing else; and whatever is missing,
// worse data never turn an alarm off.
func TestJudgeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		m := rapid.IntRange(1, n).Draw(t, "m")
		values := read(strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"0", "X", "-"}), rangeOf(n), rangeOf(n)).Draw(t, "points"), " "))
		missing := rapid.SampledFrom([]spec.Missing{spec.MissingKeeps, spec.MissingBreaches, spec.MissingIsGood}).Draw(t, "missing")
		got := judged(m, n, missing, values)

		breaching, there := 0, 0
		for _, v := range values[len(values)-n:] {
			if v.OK {
				there++
				breaching += int(v.V)
			}
		}
		if there == n && (got == InAlarm) != (breaching >= m) {
			t.Fatalf("%d of %d breach and the state is %s", breaching, n, got)
		}
		if there == n && got == keep {
			t.Fatal("kept, with nothing missing")
		}
		worse := make([]Value, len(values))
		for i, v := range values {
			if worse[i] = v; v.OK {
				worse[i].V = 1
			}
		}
		if got == InAlarm && judged(m, n, missing, worse) != InAlarm {
			t.Fatalf("%v is in alarm, and not when all of it breaches", values)
		}
	})
}
