package oncall

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// States of an alarm, as CloudWatch spells them.
const (
	InAlarm          = "ALARM"
	OK               = "OK"
	insufficientData = "INSUFFICIENT_DATA" // it has not been judged yet, or its data are missing
)

// StateChange is an alarm that changed its state, as CloudWatch publishes it to SNS
// (Amazon CloudWatch User Guide, "Notifying users on alarm changes"). AWS documents no
// schema of the message. The members are those of recorded ones: a metric alarm's is in
// the test data of aws-lambda-go (cloudwatch-alarm-sns-payload-single-metric.json), and a
// composite alarm's has AlarmRule and TriggeringChildren in the place of Trigger.
type StateChange struct {
	Alarm      string    // AlarmName
	State      string    // NewStateValue: ALARM, OK or INSUFFICIENT_DATA
	At         time.Time // StateChangeTime
	Reason     string    // NewStateReason
	Rule       string    // AlarmRule; "" for a metric alarm
	Triggering []string  // names of TriggeringChildren: those whose change caused it
	Message    json.RawMessage
}

// ParseStateChange reads the text of CloudWatch's message. AlarmName, NewStateValue and
// StateChangeTime must be there: without them there is no page.
func ParseStateChange(text []byte) (StateChange, error) {
	var m struct {
		AlarmName, NewStateValue, NewStateReason, StateChangeTime, AlarmRule string
		TriggeringChildren                                                   []struct{ Arn string }
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return StateChange{}, fmt.Errorf("it is no alarm message of CloudWatch: %w", err)
	}
	if m.AlarmName == "" || m.NewStateValue == "" {
		return StateChange{}, errors.New("it is no alarm message of CloudWatch: AlarmName and NewStateValue are not both there")
	}
	at, err := parseTime(m.StateChangeTime)
	if err != nil {
		return StateChange{}, fmt.Errorf("StateChangeTime of the alarm %s: %w", m.AlarmName, err)
	}
	c := StateChange{
		Alarm: m.AlarmName, State: m.NewStateValue, At: at, Reason: m.NewStateReason, Rule: m.AlarmRule,
		Message: slices.Clone(text),
	}
	for _, child := range m.TriggeringChildren {
		c.Triggering = append(c.Triggering, alarmName(child.Arn))
	}
	return c, nil
}

// timeForm is how CloudWatch writes a time: 2026-11-24T03:15:00.123+0000. It reads Z too.
const timeForm = "2006-01-02T15:04:05.000Z0700"

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(timeForm, s)
	return t.UTC(), err
}

// formatTime writes a time as CloudWatch does, with +0000 for UTC.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-0700") }

// alarmName is the name in an ARN of an alarm, or the text itself where it is no ARN.
func alarmName(arn string) string {
	if _, name, ok := strings.Cut(arn, ":alarm:"); ok {
		return name
	}
	return arn
}

var inAlarmRule = regexp.MustCompile(`\bALARM\s*\(\s*(?:"([^"]+)"|([^")\s]+))\s*\)`)

// children are the names of the alarms that a composite alarm's rule asks to be in ALARM:
// ALARM("name"), ALARM(name) or ALARM(ARN) (Amazon CloudWatch API reference,
// PutCompositeAlarm, AlarmRule).
func children(rule string) []string {
	var names []string
	for _, m := range inAlarmRule.FindAllStringSubmatch(rule, -1) {
		if name := alarmName(m[1] + m[2]); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
