package spec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRender(t *testing.T) {
	for _, c := range []struct {
		alarm  string
		math   string
		series []string
	}{
		{"error-rate-high", "(IF((m1 >= 100), (100 * m2), 0) / IF((m1 >= 100), m1, 1))", []string{"Sum BatchSize of persist", "Sum FailedEvents of persist"}},
		{"availability", "(100 - (IF((m1 >= 100), (100 * m2), 0) / IF((m1 >= 100), m1, 1)))", []string{"Sum BatchSize of persist", "Sum UnavailableEvents of persist"}},
		{"error-burn-slow", "(IF((m1 >= 1000), (1000 * m2), 0) / IF((m1 >= 1000), m1, 1))", []string{"Sum BatchSize of persist", "Sum FailedEvents of persist"}},
		{"latency-burn-fast", "(IF((m1 >= 1000), (100 * m2), 0) / IF((m1 >= 1000), m1, 1))", []string{"SampleCount EventLatency of persist", "Sum SlowEvents of persist"}},
		{"latency-high", "IF((m1 >= 100), m2, 0)", []string{"SampleCount EventLatency of persist", "p99 EventLatency of persist"}},
		{"store-slow", "", []string{"Average StoreLatency of persist"}},
		{"dlq-growing", "", []string{"Maximum ApproximateNumberOfMessagesVisible of persist-dlq"}},
		{"function-errors", "((100 * m1) / m2)", []string{"Sum Errors of the function persist", "Sum Invocations of the function persist"}},
	} {
		a, ok := AlarmByName(c.alarm)
		if !ok {
			t.Fatal(c.alarm)
		}
		q := Render(a.When[0].Value, a.When[0].Scope(Persist, nil, 1))
		if got := fmt.Sprint(q.Series); q.Math != c.math || got != fmt.Sprint(c.series) {
			t.Errorf("%s: %s of %s", c.alarm, q.Math, got)
		}
	}
}

// What CloudWatch would compute from the rendered text is what Eval computes, for every
// alarm and for values around its limits; and no expression but that on Lambda's
// invocations can fail to have a value when all its series have one.
func TestMathIsEval(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	everyCondition(t, func(t *testing.T, a Alarm, stage string, c Condition) {
		scope := c.Scope(stage, nil, 1)
		q := Render(c.Value, scope)
		if q.Math == "" {
			return
		}
		for range 200 {
			values := map[string]float64{}
			for i := range q.Series {
				values[ID(i)] = float64(r.IntN(4) * r.IntN(200))
			}
			got, ok := Eval(c.Value, scope, func(s Series) (float64, bool) {
				for i, x := range q.Series {
					if x == s {
						return values[ID(i)], true
					}
				}
				t.Fatalf("%s is not in the query", s)
				return 0, false
			})
			want := (&oracle{text: q.Math, values: values}).all(t)
			if ok != !math.IsNaN(want) || ok && got != want {
				t.Fatalf("%s with %v: %v %v, CloudWatch %v", q.Math, values, got, ok, want)
			}
			if !ok && a.Name != "function-errors" {
				t.Fatalf("%s has no value with %v", q.Math, values)
			}
		}
	})
}

func TestEvalWithoutData(t *testing.T) {
	everyCondition(t, func(t *testing.T, _ Alarm, stage string, c Condition) {
		if v, ok := Eval(c.Value, c.Scope(stage, nil, 1), func(Series) (float64, bool) { return 0, false }); ok {
			t.Errorf("%v from nothing", v)
		}
	})
}

// oracle computes metric math, as text, by recursive descent. It knows what the alarms
// use: numbers, ids, IF(…) and binary operators in parentheses. NaN is no value.
type oracle struct {
	text   string
	values map[string]float64
}

func (o *oracle) all(t *testing.T) float64 {
	t.Helper()
	v := o.expr()
	if o.text != "" {
		t.Fatalf("cannot read metric math from %q on", o.text)
	}
	return v
}

func (o *oracle) take(prefix string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSpace(o.text), prefix)
	if ok {
		o.text = strings.TrimSpace(rest)
	}
	return ok
}

func (o *oracle) expr() float64 {
	switch {
	case o.take("IF("):
		cond := o.expr()
		o.take(",")
		then := o.expr()
		o.take(",")
		other := o.expr()
		o.take(")")
		if math.IsNaN(cond) || cond != 0 {
			return then + cond*0
		}
		return other
	case o.take("("):
		a := o.expr()
		op, _, _ := strings.Cut(o.text, " ")
		o.take(op)
		b := o.expr()
		o.take(")")
		return binary(op, a, b)
	}
	i := strings.IndexAny(o.text+" ", " ,)")
	word := o.text[:i]
	o.text = strings.TrimSpace((o.text + " ")[i:])
	if v, ok := o.values[word]; ok {
		return v
	}
	v, err := strconv.ParseFloat(word, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

func binary(op string, a, b float64) float64 {
	switch {
	case op == "+":
		return a + b
	case op == "-":
		return a - b
	case op == "*":
		return a * b
	case op == "/" && b != 0:
		return a / b
	case op == ">=" && a >= b:
		return 1
	case op == ">=":
		return 0
	}
	return math.NaN()
}

func TestShortenPeriod(t *testing.T) {
	for _, c := range []struct {
		period time.Duration
		factor float64
		want   time.Duration
	}{
		{5 * time.Minute, 0, 5 * time.Minute},
		{5 * time.Minute, 1, 5 * time.Minute},
		{5 * time.Minute, 2, 2 * time.Minute},
		{time.Minute, 3, 20 * time.Second},
		{time.Minute, 1.1, 30 * time.Second},
		{time.Minute, 60, 10 * time.Second},
		{72 * time.Hour, 60, 72 * time.Minute},
		{time.Minute, 1e12, 10 * time.Second},
	} {
		if got := ShortenPeriod(c.period, c.factor); got != c.want {
			t.Errorf("%v / %v is %v, want %v", c.period, c.factor, got, c.want)
		}
	}
}
