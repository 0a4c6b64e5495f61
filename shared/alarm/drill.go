package alarm

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Step is one minute of a drill in which the alarm changed its state.
type Step struct {
	Change
	After time.Duration // since the data began to breach; since they ceased to, for the way back
}

// Drilled is how an alarm behaved in a drill.
type Drilled struct {
	Fired, Cleared Step
}

// Drill gives an alarm of a stage data that breach, until it fires, and then data that do
// not, until it clears. The data and the clock are made up; the table, the expressions and
// the evaluator are the real ones. An error says that it did not fire or did not clear.
func Drill(ctx context.Context, a spec.Alarm, stage string, values spec.Values, shorten float64) (Drilled, error) {
	a.Stages = []string{stage}
	src := drillSource{bad: make(map[spec.Series]float64), good: make(map[spec.Series]float64)}
	if err := src.fill(a, stage, values, shorten); err != nil {
		return Drilled{}, err
	}
	e := New(Options{
		Source: &src, Have: func(spec.Need) bool { return true }, Values: values, Shorten: shorten, Alarms: []spec.Alarm{a},
	})
	d := drill{e: e, alarm: a, now: drillStart}
	if _, err := d.until(ctx, OK); err != nil {
		return Drilled{}, err
	}
	src.breachFrom = d.now
	fired, err := d.until(ctx, InAlarm)
	if err != nil {
		return Drilled{}, err
	}
	src.breachTo = d.now
	cleared, err := d.until(ctx, OK)
	return Drilled{fired, cleared}, err
}

// drillStart is any time that is a multiple of all periods.
var drillStart = time.Unix(0, 0).UTC().AddDate(50, 0, 0).Truncate(7 * 24 * time.Hour)

type drill struct {
	e     *Evaluator
	alarm spec.Alarm
	now   time.Time
}

// until evaluates until the alarm is in the state.
func (d *drill) until(ctx context.Context, want State) (Step, error) {
	start := d.now
	longest, step := time.Duration(0), time.Minute
	for _, c := range d.e.rows[0].conditions {
		longest = max(longest, c.scope.Period*time.Duration(rangeOf(c.N)+1))
		step = min(step, c.scope.Period)
	}
	for d.now.Sub(start) <= longest+settle+2*step {
		d.now = d.now.Add(step)
		changes, err := d.e.Evaluate(ctx, d.now.Add(settle))
		if err != nil {
			return Step{}, err
		}
		if len(changes) > 0 && changes[0].To == want {
			return Step{changes[0], d.now.Sub(start)}, nil
		}
	}
	return Step{}, fmt.Errorf("alarm %s did not become %s within %v", d.alarm.Name, want, longest)
}

// drillSource has the bad value of each series in [breachFrom, breachTo), and the good one
// before and after.
type drillSource struct {
	bad, good            map[spec.Series]float64
	breachFrom, breachTo time.Time // zero: not yet
}

// Query implements Source. Of a period that is bad in part, a sum is bad in part; another
// statistic is bad when most of the period is.
func (s *drillSource) Query(_ context.Context, x spec.Series, end time.Time, period time.Duration, n int) ([]Value, error) {
	values := make([]Value, n)
	for i := range values {
		bad := s.badPart(end.Add(-time.Duration(n-i)*period), period)
		if x.Stat != spec.Sum && x.Stat != spec.Samples {
			bad = math.Round(bad)
		}
		values[i] = Value{bad*s.bad[x] + (1-bad)*s.good[x], true}
	}
	return values, nil
}

// badPart is how much of a period is in [breachFrom, breachTo), 0 to 1.
func (s *drillSource) badPart(from time.Time, period time.Duration) float64 {
	to := from.Add(period)
	if s.breachFrom.IsZero() {
		return 0
	}
	if from.Before(s.breachFrom) {
		from = s.breachFrom
	}
	if !s.breachTo.IsZero() && to.After(s.breachTo) {
		to = s.breachTo
	}
	return max(float64(to.Sub(from))/float64(period), 0)
}

// fill finds values of the series with which all conditions breach, and such with which
// none does.
func (s *drillSource) fill(a spec.Alarm, stage string, values spec.Values, shorten float64) error {
	var series []spec.Series
	var candidates []float64
	known := map[spec.Series]bool{}
	for _, c := range a.When {
		scope := c.Scope(stage, values, shorten)
		limit := c.Limit(scope)
		enough := max(values.Of("minEvents"), values.Of("minBurnEvents"))
		candidates = append(candidates, 0, 1, limit-1, limit+1, 2*limit+1, limit*scope.Period.Seconds()+1, 2*enough, 1e4*enough)
		for _, x := range spec.Render(c.Value, scope).Series {
			if !known[x] {
				known[x] = true
				series = append(series, x)
			}
		}
	}
	breach := func(want bool) func(map[spec.Series]float64) bool {
		return func(of map[spec.Series]float64) bool {
			for _, c := range a.When {
				scope := c.Scope(stage, values, shorten)
				v, ok := spec.Eval(c.Value, scope, func(x spec.Series) (float64, bool) { return of[x], true })
				if !ok || c.Compare.Breaches(v, c.Limit(scope)) != want {
					return false
				}
			}
			return true
		}
	}
	if !search(series, candidates, s.bad, breach(true)) || !search(series, candidates, s.good, breach(false)) {
		return fmt.Errorf("alarm %s: no data found with which it fires and clears", a.Name)
	}
	return nil
}

// search tries every candidate, none below 0, for every series.
func search(series []spec.Series, candidates []float64, of map[spec.Series]float64, ok func(map[spec.Series]float64) bool) bool {
	if len(series) == 0 {
		return ok(of)
	}
	for _, v := range candidates {
		if v < 0 {
			continue
		}
		of[series[0]] = v
		if search(series[1:], candidates, of, ok) {
			return true
		}
	}
	return false
}
