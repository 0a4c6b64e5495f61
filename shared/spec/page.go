package spec

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxPage is the most characters of a page: of AlarmDescription in CloudWatch
// (PutMetricAlarm and PutCompositeAlarm).
const MaxPage = 1024

// Page is what is told to the person on call about one alarm of a stage.
type Page struct {
	Env    string
	Stage  string
	Alarm  Alarm
	Values Values
	// Shorten divides the durations of the alarm, 1 or less: not.
	Shorten float64

	Dashboard string // links; "": none
	Logs      string
}

// Text of the page for a description that is written before anything has happened: the
// condition and its threshold, but no value. It has at most MaxPage characters: what it
// links to is never cut, the meaning is where it must be.
func (p Page) Text() string {
	return p.text(p.Conditions())
}

// Fired is the text of the page when the alarm has fired: values are those that the
// conditions had, in their order, NaN for one without data.
func (p Page) Fired(values []float64) string {
	lines := make([]string, len(p.Alarm.When))
	for i, c := range p.Alarm.When {
		scope := c.Scope(p.Stage, p.Values, p.Shorten)
		is := "is " + withUnit(values[i], c.Unit)
		if math.IsNaN(values[i]) {
			is = "has no data"
		}
		lines[i] = fmt.Sprintf("%s %s (threshold %s %s)", c.what(scope), is, c.Compare.Symbol(), withUnit(c.Limit(scope), c.Unit))
	}
	return p.text(lines)
}

// Conditions in words: "p99 EventLatency of persist > 2000 ms in 5 of 5 periods of 1 minute".
func (p Page) Conditions() []string {
	lines := make([]string, len(p.Alarm.When))
	for i, c := range p.Alarm.When {
		scope := c.Scope(p.Stage, p.Values, p.Shorten)
		lines[i] = fmt.Sprintf("%s %s %s %s", c.what(scope), c.Compare.Symbol(), withUnit(c.Limit(scope), c.Unit), c.howLong(scope.Period))
	}
	return lines
}

func (c Condition) howLong(period time.Duration) string {
	if c.N == 1 {
		return "over " + words(period)
	}
	return fmt.Sprintf("in %d of %d periods of %s", c.M, c.N, words(period))
}

// what the condition is about, in words.
func (c Condition) what(scope Scope) string {
	q := Render(c.Value, scope)
	if q.Math == "" {
		return q.Series[0].String()
	}
	return c.Label + " of " + q.Series[0].ResourceName()
}

func (p Page) text(conditions []string) string {
	s, _ := SeverityByName(p.Alarm.Severity)
	head := fmt.Sprintf("%s %s: %s %s\n", s.Name, s.Label, p.Stage, p.Alarm.Name)
	var tail strings.Builder
	for _, c := range conditions {
		fmt.Fprintf(&tail, "\n%s", c)
	}
	fmt.Fprintf(&tail, "\nRun first: %s", p.Alarm.Command)
	if p.Dashboard != "" {
		fmt.Fprintf(&tail, "\nDashboard: %s", p.Dashboard)
	}
	if p.Logs != "" {
		fmt.Fprintf(&tail, "\nLogs: %s", p.Logs)
	}
	fmt.Fprintf(&tail, "\nRunbook: docs/ALARMS.md#%s", p.Alarm.Name)
	fmt.Fprintf(&tail, "\nRespond within %s", s.Within())
	if next := s.Next(); next != "" {
		fmt.Fprintf(&tail, "; then: %s", next)
	}
	tail.WriteByte('.')
	room := MaxPage - utf8.RuneCountInString(head) - utf8.RuneCountInString(tail.String())
	return head + cut(p.Alarm.Meaning, room) + tail.String()
}

// cut shortens text to at most n characters.
func cut(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	if n < 1 {
		return ""
	}
	return string(r[:n-1]) + "…"
}

// withUnit writes a value as a person reads it: three digits after the point at most.
func withUnit(v float64, unit string) string {
	s := strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.3f", v), "0"), ".")
	switch {
	case unit == "":
		return s
	case unit == "s" && v >= 120:
		return words(time.Duration(v) * time.Second)
	default:
		return s + " " + unit
	}
}

// PagerText is the description of the composite alarm of a stage and severity: the name of
// each alarm that can be behind it, its first command, and where each is explained.
func PagerText(p Pager, dashboard, logs string) string {
	s, _ := SeverityByName(p.Severity)
	head := fmt.Sprintf("%s %s: %s\nOne or more of these alarms:", s.Name, s.Label, p.Stage)
	tail := ""
	if dashboard != "" {
		tail += "\nDashboard: " + dashboard
	}
	if logs != "" {
		tail += "\nLogs: " + logs
	}
	tail += "\nWhich, and what to run: millrace alarms list. Runbook: docs/ALARMS.md" +
		"\nRespond within " + s.Within()
	if next := s.Next(); next != "" {
		tail += "; then: " + next
	}
	tail += "."
	var names strings.Builder
	for _, a := range p.Alarms {
		fmt.Fprintf(&names, "\n%s: %s", a.Name, a.Command)
	}
	room := MaxPage - utf8.RuneCountInString(head) - utf8.RuneCountInString(tail)
	return head + cut(names.String(), room) + tail
}
