package spec

import (
	"slices"
	"time"
)

// Alarm is one row of Alarms: something that a person must look at, for each stage that
// it is for.
type Alarm struct {
	Name     string // kebab-case
	Severity string // P1 to P4
	Stages   []string
	Needs    Need

	// When are the conditions: the alarm fires while all of them hold. One is a metric
	// alarm in CloudWatch, several are a composite alarm over one metric alarm each.
	When []Condition

	Meaning  string   // what is wrong and what it does to the users, one or two sentences
	Causes   []string // the likely ones, the likeliest first
	Diagnose []string
	Fix      []string
	Command  string // the exact command to run first
	Mute     Mute
}

// Condition is one metric alarm.
type Condition struct {
	// Name tells the conditions of an alarm apart; "" where there is only one.
	Name string
	// Label names the value of an expression in words; a single series names itself.
	Label     string
	Value     Expr
	Compare   Comparison
	Threshold Expr // without a series
	Unit      string
	Period    time.Duration
	M, N      int // it holds while M of the last N periods breach

	Missing    Missing
	MissingWhy string
	// LowSamples is set where the value is a percentile itself.
	LowSamples LowSamples
}

// Limit is the number that the value is compared with.
func (c Condition) Limit(scope Scope) float64 {
	v, _ := Eval(c.Threshold, scope, func(Series) (float64, bool) { return 0, false })
	return v
}

// Scope of the condition for a stage, where durations are divided by shorten (1: not).
func (c Condition) Scope(stage string, values Values, shorten float64) Scope {
	return Scope{Stage: stage, Period: ShortenPeriod(c.Period, shorten), Values: values}
}

// Comparison of the value with the threshold, as CloudWatch spells it.
type Comparison string

// Comparisons.
const (
	Above   Comparison = "GreaterThanThreshold"
	AtLeast Comparison = "GreaterThanOrEqualToThreshold"
	Below   Comparison = "LessThanThreshold"
)

// Breaches reports whether the value is on the wrong side of the threshold.
func (c Comparison) Breaches(value, threshold float64) bool {
	switch c {
	case AtLeast:
		return value >= threshold
	case Below:
		return value < threshold
	default:
		return value > threshold
	}
}

// Symbol is > or ≥ or <.
func (c Comparison) Symbol() string {
	switch c {
	case AtLeast:
		return "≥"
	case Below:
		return "<"
	default:
		return ">"
	}
}

// Missing is how periods without data count, as CloudWatch spells it (CloudWatch User
// Guide, "Configuring how CloudWatch alarms treat missing data").
type Missing string

// Treatments of missing data.
const (
	MissingBreaches Missing = "breaching"    // silence is the failure
	MissingIsGood   Missing = "notBreaching" // silence means that nothing happened
	MissingKeeps    Missing = "ignore"       // the state stays as it is
)

// LowSamples is what a percentile of few values does, as CloudWatch spells it
// (PutMetricAlarm, EvaluateLowSampleCountPercentile).
type LowSamples string

// LowSamplesCount: the p99 of few values is their maximum, and counts like any other. The
// other choice, to ignore it, keeps the state while a period has fewer than 10 / (1 - p)
// values, 1,000 for p99: on a quiet site the alarm would then never fire. Where one slow
// value must not count, the value is an expression with a minimum of values instead.
const LowSamplesCount LowSamples = "evaluate"

// Need is what a deployment must have for an alarm to make sense.
type Need string

// Needs.
const (
	NeedsNothing Need = ""
	NeedsKafka   Need = "kafka" // a Kafka of any kind feeds ingest
	NeedsMSK     Need = "msk"   // an MSK cluster with brokers of its own (not serverless)
	NeedsMongo   Need = "mongo" // the event store is MongoDB: always on AWS
	NeedsTopics  Need = "sns"   // topics stand between the stages: always on AWS
)

// Mute says what happens to the page while a deployment runs and MuteAfter later.
type Mute string

// Mute rules.
const (
	MuteNever    Mute = "never" // a deployment must not cause it: then it should page
	MuteInDeploy Mute = "deploy"
)

// MuteAfter is how long after the end of a deployment a muted alarm stays silent: new
// environments start and backlogs drain within minutes.
const MuteAfter = 10 * time.Minute

// Alarms are all alarms, in the order in which a page of documentation shows them.
var Alarms = slices.Concat(errorAlarms, burnAlarms, latencyAlarms, flowAlarms, kafkaAlarms, deadLetterAlarms, storeAlarms, functionAlarms, redriveAlarms, onCallAlarms)

// AlarmByName finds an alarm of Alarms.
func AlarmByName(name string) (Alarm, bool) {
	for _, a := range Alarms {
		if a.Name == name {
			return a, true
		}
	}
	return Alarm{}, false
}

// Own reports whether all data of the alarm are Millrace's own metrics, which every target
// has.
func (a Alarm) Own() bool {
	for _, c := range a.When {
		for _, s := range Render(c.Value, Scope{}).Series {
			if s.Namespace != Namespace {
				return false
			}
		}
	}
	return true
}
