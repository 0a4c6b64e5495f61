package oncall

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// The messages as AWS and LocalStack write them differ in the form of the time.
func TestParseStateChange(t *testing.T) {
	const form = `{"AlarmName":"millrace-prod-persist-p1","AlarmDescription":"d","AWSAccountId":"123456789012","NewStateValue":"ALARM",` +
		`"NewStateReason":"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:millrace-prod-persist-error-rate-critical transitioned to ALARM at Tuesday 24 November, 2026 03:15:00 UTC",` +
		`"StateChangeTime":"%s","Region":"EU (Ireland)","AlarmArn":"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:millrace-prod-persist-p1","OldStateValue":"OK",` +
		`"OKActions":[],"AlarmActions":[],"InsufficientDataActions":[],"AlarmRule":"ALARM(\"a\") OR ALARM(\"b\")",` +
		`"TriggeringChildren":[{"Arn":"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a","State":{"Value":"ALARM","Timestamp":"2026-11-24T03:15:00.123+0000"}}]}`
	for _, at := range []string{"2026-11-24T03:15:00.123+0000", "2026-11-24T03:15:00.123Z"} {
		text := fmt.Sprintf(form, at)
		c, err := ParseStateChange([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		want := time.Date(2026, 11, 24, 3, 15, 0, 123e6, time.UTC)
		if c.Alarm != "millrace-prod-persist-p1" || c.State != InAlarm || !c.At.Equal(want) || string(c.Message) != text ||
			!slices.Equal(c.Triggering, []string{"a"}) || !slices.Equal(children(c.Rule), []string{"a", "b"}) {
			t.Errorf("%+v", c)
		}
	}
	for _, bad := range []string{"", "null", "[]", `"text"`, `{}`, `{"AlarmName":"a"}`, `{"NewStateValue":"OK","StateChangeTime":"2026-11-24T03:15:00.123Z"}`,
		`{"AlarmName":"a","NewStateValue":"ALARM","StateChangeTime":"yesterday"}`, `{"AlarmName":"a","NewStateValue":"ALARM"}`, `{"AlarmName":1}`} {
		if c, err := ParseStateChange([]byte(bad)); err == nil {
			t.Errorf("%s is read as %+v", bad, c)
		}
	}
}

func TestChildren(t *testing.T) {
	for rule, want := range map[string][]string{
		"":                         nil,
		"TRUE":                     nil,
		`ALARM("a")`:               {"a"},
		`ALARM(a) AND NOT OK("b")`: {"a"},
		`(ALARM("a b") OR ALARM ( "c" )) AND ALARM(arn:aws:cloudwatch:eu-west-1:1:alarm:d) OR ALARM("a b")`: {"a b", "c", "d"},
	} {
		if got := children(rule); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
}
