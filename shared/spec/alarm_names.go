package spec

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// AlarmName of an alarm of a stage in CloudWatch: "millrace-prod-persist-breaker-open".
// Where it has several conditions, it is the composite of those.
func AlarmName(env, stage, alarm string) string { return ResourceName(env, stage+"-"+alarm) }

// ConditionName of the metric alarm of one condition; with an empty condition it is the
// alarm itself.
func ConditionName(env, stage, alarm, condition string) string {
	if condition == "" {
		return AlarmName(env, stage, alarm)
	}
	return AlarmName(env, stage, alarm+"-"+condition)
}

// PagerName of the composite alarm that pages for a stage and a severity: it is in ALARM
// while any of the stage's alarms of that severity is. No other alarm has an action, so
// that one fault is one page.
func PagerName(env, stage, severity string) string {
	return ResourceName(env, stage+"-"+strings.ToLower(severity))
}

// PageTopic of the SNS topic that a severity pages: "page-p1", for ResourceName.
func PageTopic(severity string) string { return "page-" + strings.ToLower(severity) }

// AlarmStages are the stages that alarms are for, on-call as one.
var AlarmStages = append(slices.Clone(functions), OnCall)

// Pager is what pages for one stage and severity.
type Pager struct {
	Stage, Severity string
	Alarms          []Alarm
}

// Topic that the pager's alarm publishes to: AlarmsTopic, of which on-call makes the page,
// and for on-call itself the topic of the page.
func (p Pager) Topic() string {
	if p.Stage == OnCall {
		return PageTopic(p.Severity)
	}
	return AlarmsTopic
}

// Pagers of a deployment that has what have says: one for each stage and severity that has
// alarms, the most urgent of a stage first.
func Pagers(have func(Need) bool) []Pager {
	var pagers []Pager
	for _, stage := range AlarmStages {
		for _, s := range Severities {
			p := Pager{Stage: stage, Severity: s.Name}
			for _, a := range Alarms {
				if a.Severity == s.Name && slices.Contains(a.Stages, stage) && (a.Needs == NeedsNothing || have(a.Needs)) {
					p.Alarms = append(p.Alarms, a)
				}
			}
			if len(p.Alarms) > 0 {
				pagers = append(pagers, p)
			}
		}
	}
	return pagers
}

// FunctionTimeout of the function of a stage, dlq-redrive included.
func FunctionTimeout(stage string) time.Duration {
	if s, ok := StageByName(stage); ok {
		return s.Timeout
	}
	return RedriveTimeout
}

// ShortenPeriod is the period of an alarm where its durations are divided by factor, so
// that a test need not wait: a value that CloudWatch allows (10, 20, 30 or a multiple of
// 60 seconds), at least 10 seconds. A factor of 1 or less changes nothing.
func ShortenPeriod(period time.Duration, factor float64) time.Duration {
	if factor <= 1 {
		return period
	}
	s := time.Duration(period.Seconds()/factor) * time.Second
	switch {
	case s <= 10*time.Second:
		return 10 * time.Second
	case s < time.Minute:
		return min(s.Round(10*time.Second), 30*time.Second)
	default:
		return s.Truncate(time.Minute)
	}
}

// words writes a duration as people say it: "5 minutes", "3 days".
func words(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return plural(int64(d/(24*time.Hour)), "day")
	case d%time.Hour == 0:
		return plural(int64(d/time.Hour), "hour")
	case d%time.Minute == 0:
		return plural(int64(d/time.Minute), "minute")
	default:
		return plural(int64(d/time.Second), "second")
	}
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}
