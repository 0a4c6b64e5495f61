package oncall

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Message is a page as SNS takes it.
type Message struct {
	Topic   string // a name of spec.PageTopics
	Subject string // at most maxSubject ASCII characters
	// Body has a text for each protocol (Amazon SNS API reference, Publish,
	// MessageStructure "json"): email and sms for people; default, which HTTPS and SQS
	// get, for programs.
	Body string
}

// maxSubject: "less than 100 characters long" (Amazon SNS API reference, Publish, Subject).
const maxSubject = 99

// writer writes the messages of a deployment.
type writer struct {
	table *Table
	place Place
}

// message writes a notice of a page. now is when it is published.
func (w *writer) message(d Due, now time.Time) Message {
	p, s := &d.Page, d.Page.severity()
	return Message{
		Topic:   s.TopicOf(d.Notice.Level),
		Subject: ascii(w.subject(d), maxSubject),
		Body:    body(w.email(d), w.sms(d), w.program(d, now)),
	}.orShorter(p.Alarm)
}

// body of the protocols.
func body(email, sms string, program map[string]any) string {
	text := marshal(program)
	return marshal(map[string]string{"default": text, "email": email, "sms": sms})
}

// marshal what cannot fail to be marshalled: maps and structures of texts and times.
func marshal(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprintf("%q", err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// state is what the alarm is in, for programs. The subject begins with it, as
// CloudWatch's own does: PagerDuty's integration discards a message whose subject does not
// begin with the value of NewStateValue, a colon and a space. It takes further members
// (found out by trial and reported at cetinich.net, "Pagerduty Cloudwatch integration").
func (d *Due) state() string {
	if d.Notice.Kind == Resolved {
		return OK
	}
	return InAlarm
}

func (w *writer) subject(d Due) string {
	p := &d.Page
	what := fmt.Sprintf("%s: %s %s", d.state(), p.Severity, w.place.name(p.Alarm))
	switch d.Notice.Kind {
	case Escalated:
		what += " UNANSWERED"
	case Taken:
		what += " acknowledged by " + p.Acked.By
	case Resolved:
		return fmt.Sprintf("%s is over after %s (%s)", what, length(p.Resolved.At.Sub(p.Opened)), w.place.Env)
	}
	return fmt.Sprintf("%s (%s): %s", what, w.place.Env, strings.Join(w.names(p), ", "))
}

// names of the alarms behind the page, as the table has them where it does.
func (w *writer) names(p *Page) []string {
	var names []string
	for _, f := range p.Faults {
		if e, ok := w.table.alarms[f.Alarm]; ok {
			names = append(names, e.alarm.Name)
		} else {
			names = append(names, w.place.name(f.Alarm))
		}
	}
	return names
}

// ackCommand acknowledges the page.
func (w *writer) ackCommand(p *Page) string {
	return w.place.command("millrace ack " + w.place.name(p.Alarm))
}

func (w *writer) sms(d Due) string {
	p := &d.Page
	s := w.subject(d)
	if at, _, ok := p.Next(); ok {
		s += fmt.Sprintf(". Acknowledge by %s UTC: %s", at.UTC().Format("15:04"), w.ackCommand(p))
	}
	return ascii(s, 300)
}

// program is CloudWatch's own message, which the CloudWatch integrations of PagerDuty and
// Opsgenie and AWS's chat read, with a member Millrace for programs that know us.
func (w *writer) program(d Due, now time.Time) map[string]any {
	p := &d.Page
	m := make(map[string]any)
	if err := json.Unmarshal(p.Message, &m); err != nil {
		m = make(map[string]any) // the page is worth more than what it was made of
	}
	m["AlarmName"], m["NewStateValue"] = p.Alarm, d.state()
	if d.Notice.Kind == Resolved {
		m["OldStateValue"], m["StateChangeTime"] = InAlarm, formatTime(p.Resolved.At)
		m["NewStateReason"] = p.Resolved.Reason
	}
	ours := map[string]any{
		"page": p.ID, "kind": d.Notice.Kind, "environment": w.place.Env, "stage": w.table.stage(p.Alarm), "severity": p.Severity,
		"opened": formatTime(p.Opened), "published": formatTime(now), "to": p.severity().Chain[min(d.Notice.Level, len(p.severity().Chain)-1)],
		"repeated": d.Notice.Attempts > 1, "faults": w.programFaults(p),
		"dashboard": w.place.dashboard(), "acknowledge": w.ackCommand(p),
	}
	if at, role, ok := p.Next(); ok {
		ours["respondBy"], ours["next"] = formatTime(at), role
	}
	if p.Found {
		ours["found"] = true // and CloudWatch's members are as on-call read them
	}
	if p.Acked != nil {
		ours["acknowledgedBy"], ours["note"] = p.Acked.By, p.Acked.Note
	}
	if p.Resolved != nil {
		ours["lastedSeconds"] = p.Resolved.At.Sub(p.Opened).Seconds()
	}
	if stage := w.table.stage(p.Alarm); stage != "" {
		ours["logs"] = w.place.logs(stage, p.Opened)
	}
	m["Millrace"] = ours
	return m
}

func (w *writer) programFaults(p *Page) []map[string]any {
	list := make([]map[string]any, len(p.Faults))
	for i, f := range p.Faults {
		m := map[string]any{"alarm": f.Alarm}
		if e, ok := w.table.alarms[f.Alarm]; ok {
			maps.Copy(m, map[string]any{"name": e.alarm.Name, "meaning": e.alarm.Meaning, "command": w.place.command(e.alarm.Command)})
		}
		if f.Readings != nil {
			m["readings"] = f.Readings
		}
		list[i] = m
	}
	return list
}

// maxBody of the 256 KiB that SNS takes (Amazon SNS API reference, Publish, Message)
// leaves room for the subject.
const maxBody = 255 << 10

// orShorter is the message itself, or one that says the most important where it is too
// large for SNS: CloudWatch's part is bounded by its own limits, so that is an alarm
// message made by somebody else.
func (m Message) orShorter(alarm string) Message {
	if len(m.Body) > maxBody {
		state, _, _ := strings.Cut(m.Subject, ":")
		text := m.Subject + "\n\nThe page is too large to be sent. `millrace pages` has it."
		m.Body = body(text, m.Subject, map[string]any{"AlarmName": alarm, "NewStateValue": state, "NewStateReason": text})
	}
	return m
}

// ascii is s in printable ASCII characters, at most n of them.
func ascii(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > n {
		s = s[:n-3] + "..."
	}
	return s
}

// length writes how long something took; clocks that differ do not make it negative.
func length(d time.Duration) string { return spec.FormatAge(max(0, d)) }

// number writes a value as short as a person wants it: 62.5, 48211, 0.001.
func number(v *float64) string {
	if v == nil {
		return "no data"
	}
	return spec.FormatNumber(round(*v))
}
