package spec

import (
	"math"
	"strconv"
	"time"
)

// Expr is the value of an alarm in one period. It is defined once: Math renders it for
// CloudWatch, and Eval computes it from the same series anywhere else. Expressions of the
// table never divide by a series that may be 0, since CloudWatch has no value then and
// the alarm would judge missing data instead.
type Expr interface {
	math(r *rendering) string
	eval(c *Scope, value func(Series) (float64, bool)) (float64, bool)
}

// Scope is what an expression may depend on besides its series.
type Scope struct {
	Stage  string // that the alarm is for
	Period time.Duration
	Values Values // thresholds that differ from their defaults
}

// Query is an expression as CloudWatch takes it.
type Query struct {
	// Math is the metric math over the ids m1, m2 … of Series; "" when the value is the
	// only series itself.
	Math   string
	Series []Series // after In
}

// MaxSeries is the most metrics of one alarm (CloudWatch User Guide, "Create a CloudWatch
// alarm based on a metric math expression").
const MaxSeries = 10

// ID of the i-th series of a Query in its Math.
func ID(i int) string { return "m" + strconv.Itoa(i+1) }

type rendering struct {
	scope  *Scope
	series []Series
}

// Render is the expression in metric math.
func Render(e Expr, c Scope) Query {
	if s, ok := e.(Series); ok {
		return Query{Series: []Series{s.In(c.Stage)}}
	}
	r := rendering{scope: &c}
	text := e.math(&r)
	return Query{Math: text, Series: r.series}
}

// Eval is the value in one period. value gives the statistic of a series (after In) in
// that period; ok is false where the series has no data, and then the expression has no
// value either, as in CloudWatch.
func Eval(e Expr, c Scope, value func(Series) (float64, bool)) (v float64, ok bool) {
	return e.eval(&c, value)
}

func (s Series) math(r *rendering) string {
	s = s.In(r.scope.Stage)
	for i, known := range r.series {
		if known == s {
			return ID(i)
		}
	}
	r.series = append(r.series, s)
	return ID(len(r.series) - 1)
}

func (s Series) eval(c *Scope, value func(Series) (float64, bool)) (float64, bool) {
	return value(s.In(c.Stage))
}

// Constant is a number that an alarm's scope gives.
type Constant struct {
	Of func(Scope) float64
}

func (n Constant) math(r *rendering) string { return FormatNumber(n.Of(*r.scope)) }

func (n Constant) eval(c *Scope, _ func(Series) (float64, bool)) (float64, bool) {
	return n.Of(*c), true
}

// Number is a fixed number.
func Number(v float64) Expr { return Constant{func(Scope) float64 { return v }} }

// Chosen is the value of a threshold.
func Chosen(threshold string) Expr {
	return Constant{func(c Scope) float64 { return c.Values.Of(threshold) }}
}

// Seconds is the length of the alarm's period.
func Seconds() Expr { return Constant{func(c Scope) float64 { return c.Period.Seconds() }} }

// Timeout is the timeout of the function of the alarm's stage in milliseconds, the unit of
// AWS/Lambda Duration.
func Timeout() Expr {
	return Constant{func(c Scope) float64 { return float64(FunctionTimeout(c.Stage) / time.Millisecond) }}
}

// Op is a binary operator: -, *, / or >= (1 where it holds, else 0).
type Op struct {
	Sign string
	A, B Expr
}

func (o Op) math(r *rendering) string {
	a := o.A.math(r)
	return "(" + a + " " + o.Sign + " " + o.B.math(r) + ")"
}

func (o Op) eval(c *Scope, value func(Series) (float64, bool)) (float64, bool) {
	a, okA := o.A.eval(c, value)
	b, okB := o.B.eval(c, value)
	if !okA || !okB {
		return 0, false
	}
	switch o.Sign {
	case "*":
		return a * b, true
	case "-":
		return a - b, true
	case "/":
		return a / b, b != 0
	case ">=":
		if a >= b {
			return 1, true
		}
		return 0, true
	}
	return math.NaN(), false
}

// If is Then where Cond is not 0, and Else where it is.
type If struct{ Cond, Then, Else Expr }

func (i If) math(r *rendering) string {
	cond := i.Cond.math(r)
	then := i.Then.math(r)
	return "IF(" + cond + ", " + then + ", " + i.Else.math(r) + ")"
}

func (i If) eval(c *Scope, value func(Series) (float64, bool)) (float64, bool) {
	cond, ok := i.Cond.eval(c, value)
	if !ok {
		return 0, false
	}
	if cond != 0 {
		return i.Then.eval(c, value)
	}
	return i.Else.eval(c, value)
}

// Ratio is scale × part / whole in a period with at least as much of whole as a threshold
// says, and 0 in one with less.
func Ratio(scale float64, part, whole Series, least string) Expr {
	enough := Op{">=", whole, Chosen(least)}
	return Op{"/", If{enough, Op{"*", Number(scale), part}, Number(0)}, If{enough, whole, Number(1)}}
}

// RatioLeft is 100 − Ratio(100, part, whole, least): 100 in a period with few events.
func RatioLeft(part, whole Series, least string) Expr {
	return Op{"-", Number(100), Ratio(100, part, whole, least)}
}
