package alarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Options of New.
type Options struct {
	Source  Source
	Have    func(spec.Need) bool // what the pipeline has; nil: nothing
	Values  spec.Values          // thresholds that differ from their defaults
	Shorten float64              // divides the durations of the alarms; 1 or less: not
	Alarms  []spec.Alarm         // nil: spec.Alarms
	// Since is when the pipeline was started: that there are no data of before says nothing.
	// Zero: it has always run.
	Since time.Time
}

// Evaluator keeps the states of all alarms of a pipeline. It is for one goroutine.
type Evaluator struct {
	o       Options
	rows    []*row
	history []Change
}

// row is one alarm of one stage.
type row struct {
	alarm      spec.Alarm
	stage      string
	state      State
	since      time.Time
	unmeasured bool
	conditions []condition
}

type condition struct {
	spec.Condition
	scope     spec.Scope
	limit     float64
	state     State
	value     Value // the newest that there is
	evaluated time.Time
}

// New returns an evaluator that knows nothing yet: every alarm is Insufficient.
func New(o Options) *Evaluator {
	if o.Alarms == nil {
		o.Alarms = spec.Alarms
	}
	e := &Evaluator{o: o}
	for _, a := range o.Alarms {
		if a.Needs != spec.NeedsNothing && (o.Have == nil || !o.Have(a.Needs)) {
			continue
		}
		for _, stage := range a.Stages {
			r := &row{alarm: a, stage: stage, state: Insufficient}
			for _, c := range a.When {
				scope := c.Scope(stage, o.Values, o.Shorten)
				r.conditions = append(r.conditions, condition{Condition: c, scope: scope, limit: c.Limit(scope), state: Insufficient})
			}
			e.rows = append(e.rows, r)
		}
	}
	return e
}

// settle is how long data may take to arrive: a period is judged when it ended so long ago.
const settle = 2 * time.Second

// Evaluate judges every alarm with the periods that have ended by now, and returns what
// changed. It is to be called once a minute; a condition with long periods is judged only
// as often as its value can change much. An error concerns the alarms that it names: they
// keep their states, and the others are judged.
func (e *Evaluator) Evaluate(ctx context.Context, now time.Time) ([]Change, error) {
	var changes []Change
	var errs []error
	for _, r := range e.rows {
		if err := e.evaluate(ctx, r, now); err != nil {
			errs = append(errs, fmt.Errorf("alarm %s of %s: %w", r.alarm.Name, r.stage, err))
			continue
		}
		if s := r.all(); s != r.state {
			c := r.change(s, now)
			r.state, r.since = s, now
			changes = append(changes, c)
			if c.From != Insufficient || c.To != OK { // each alarm begins so: no news
				e.history = append(e.history, c)
			}
		}
	}
	if over := len(e.history) - maxHistory; over > 0 {
		e.history = slices.Delete(e.history, 0, over)
	}
	return changes, errors.Join(errs...)
}

func (e *Evaluator) evaluate(ctx context.Context, r *row, now time.Time) error {
	for i := range r.conditions {
		c := &r.conditions[i]
		// CloudWatch, too, judges long periods less often than each minute.
		if now.Sub(c.evaluated) < c.scope.Period/30 {
			continue
		}
		values, err := e.values(ctx, c, now)
		if errors.Is(err, ErrNotMeasured) {
			r.unmeasured = true
			return nil
		}
		if err != nil {
			return err
		}
		c.evaluated = now
		c.value = newest(values)
		if s, keep := judge(c.Condition, c.limit, values); !keep {
			c.state = s
		}
	}
	return nil
}

// values of the condition in its evaluation range, the oldest first.
func (e *Evaluator) values(ctx context.Context, c *condition, now time.Time) ([]Value, error) {
	n := rangeOf(c.N)
	end := now.Add(-settle).Truncate(min(c.scope.Period, time.Minute))
	series := map[spec.Series][]Value{}
	for _, s := range spec.Render(c.Value, c.scope).Series {
		v, err := e.o.Source.Query(ctx, s, end, c.scope.Period, n)
		if err != nil {
			return nil, err
		}
		if len(v) != n {
			return nil, fmt.Errorf("the source has %d values for %d periods", len(v), n)
		}
		series[s] = v
	}
	values := make([]Value, n)
	for i := range values {
		values[i].V, values[i].OK = spec.Eval(c.Value, c.scope, func(s spec.Series) (float64, bool) {
			return series[s][i].V, series[s][i].OK
		})
	}
	before := 0 // Since, and without data
	for before < n && !values[before].OK && end.Add(-time.Duration(n-before)*c.scope.Period).Before(e.o.Since) {
		before++
	}
	return values[before:], nil
}

func newest(values []Value) Value {
	for _, v := range slices.Backward(values) {
		if v.OK {
			return v
		}
	}
	return Value{}
}

// all is the state of the alarm: that of its only condition, or of the composite alarm
// that CloudWatch has for several, which is OK unless all of them are in alarm.
func (r *row) all() State {
	if len(r.conditions) == 1 {
		return r.conditions[0].state
	}
	for i := range r.conditions {
		if r.conditions[i].state != InAlarm {
			return OK
		}
	}
	return InAlarm
}
