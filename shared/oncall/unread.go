package oncall

import (
	"fmt"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// unread writes an input that could not be read, as it came.
func (w *writer) unread(u Unread, now time.Time) Message {
	const alarm = "on-call-unreadable"
	why := "The function on-call got what it cannot read, so nobody knows what it is about: " + u.Why.Error()
	raw, cut := u.Text, ""
	for {
		m := Message{
			Topic:   spec.PageTopic(spec.P1),
			Subject: ascii(fmt.Sprintf("ALARM: P1 %s (%s): on-call cannot read its input", alarm, w.place.Env), maxSubject),
			Body: body(
				fmt.Sprintf("ALARM: P1 in environment %s\n%s\n\nLook at the dashboard: %s\nLogs: %s\n\nThe input, as it came:\n\n%s%s\n",
					w.place.Env, why, w.place.dashboard(), w.place.logs(spec.OnCall, now), raw, cut),
				"ALARM: P1 "+alarm+" ("+w.place.Env+")",
				map[string]any{
					"AlarmName": spec.ResourceName(w.place.Env, alarm), "NewStateValue": InAlarm, "OldStateValue": OK, "NewStateReason": why,
					"StateChangeTime": formatTime(now), "Region": w.place.Region,
					"Millrace": map[string]any{"kind": "unreadable", "environment": w.place.Env, "severity": spec.P1, "input": raw + cut},
				}),
		}
		if len(m.Body) <= maxBody {
			return m
		}
		raw, cut = strings.ToValidUTF8(raw[:len(raw)/2], ""), "… (cut: the log of on-call has all of it)"
	}
}
