package alarm

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Every alarm of the table can fire and clear, in the time that its periods say, with the
// thresholds at their defaults and at both ends, and with shortened durations; and its page
// says what it must.
func TestEveryAlarmFiresAndClears(t *testing.T) {
	lowest, highest := spec.Values{}, spec.Values{}
	for _, th := range spec.Thresholds {
		lowest[th.Name], highest[th.Name] = th.Min, min(th.Max, 99)
	}
	highest["minEvents"] = 1e6
	highest["minBurnEvents"] = 1e6
	highest["concurrencyLimit"] = 1e6
	for _, values := range []spec.Values{nil, lowest, highest} {
		for _, shorten := range []float64{1, 60} {
			for _, a := range spec.Alarms {
				for _, stage := range a.Stages {
					drillOne(t, a, stage, values, shorten)
				}
			}
		}
	}
}

func drillOne(t *testing.T, a spec.Alarm, stage string, values spec.Values, shorten float64) {
	t.Helper()
	d, err := Drill(t.Context(), a, stage, values, shorten)
	if err != nil {
		t.Errorf("%s, shortened %v times: %v", stage, shorten, err)
		return
	}
	var longest time.Duration
	for _, c := range a.When {
		longest = max(longest, c.Scope(stage, values, shorten).Period*time.Duration(c.N))
	}
	if d.Fired.After > longest+longest/10+2*time.Minute {
		t.Errorf("%s of %s fired after %v", a.Name, stage, d.Fired.After)
	}
	text := spec.Page{Stage: stage, Alarm: a, Values: values, Shorten: shorten}.Fired(d.Fired.Values())
	if !strings.Contains(text, a.Command) || strings.Contains(text, "NaN") {
		t.Errorf("%s", text)
	}
}

// An alarm that cannot fire is found.
func TestDrillFindsAnAlarmThatCannotFire(t *testing.T) {
	a, _ := spec.AlarmByName("breaker-open")
	a.When = []spec.Condition{a.When[0]}
	a.When[0].Value = spec.Number(0)
	if _, err := Drill(t.Context(), a, spec.Persist, nil, 1); err == nil {
		t.Error("fired")
	}
}
