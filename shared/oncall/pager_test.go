package oncall

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const persistP1 = "millrace-prod-persist-p1"

// From the alarm to its end: what a person is told at each point.
func TestPage(t *testing.T) {
	w := newWorld(t)
	w.fault(persistP1, "millrace-prod-persist-error-rate-critical", `{"version":"1.0","recentDatapoints":[12.5,null,62.483915],"threshold":50}`, "GreaterThanThreshold", 50)
	w.handle(t, w.set(persistP1, InAlarm))
	p := w.want(t, "page-p1 opened")[0]
	if p.subject != "ALARM: P1 persist-p1 (prod): error-rate-critical" {
		t.Errorf("subject %q", p.subject)
	}
	for _, text := range []string{
		"ALARM: P1 critical, persist-p1, environment prod\nSince 2026-11-24 03:15:00 UTC.\n",
		"Respond within 15 minutes. If nobody acknowledges it by 2026-11-24 03:30:00 UTC, it goes to secondary on-call.\n",
		"Acknowledge: millrace ack persist-p1 --target aws --env prod\n",
		"error-rate-critical: Most events of the stage fail.",
		"  62.48 % (alarm: > 50 %)\n  Run first: millrace dlq list --target aws --env prod\n",
		"Dashboard: https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/millrace-prod-operations\n",
		"Logs: https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:logs-insights$3FqueryDetail$3D~(end~'2026-11-24T03*3a45*3a00.000Z~start~'2026-11-24T02*3a45*3a00.000Z~",
		"source~(~'*2faws*2flambda*2fmillrace-prod-persist))\n",
		"Page millrace-prod-persist-p1@20261124T031500.000Z\n",
	} {
		if !strings.Contains(p.email, text) {
			t.Errorf("the email lacks %q:\n%s", text, p.email)
		}
	}
	m := p.program
	if m.AlarmName != persistP1 || m.NewStateValue != InAlarm || m.StateChangeTime != "2026-11-24T03:15:00.000+0000" || m.Millrace.Stage != "persist" ||
		m.Millrace.Severity != "P1" || m.Millrace.To != "primary on-call" || m.Millrace.Next != "secondary on-call" || m.Millrace.RespondBy != "2026-11-24T03:30:00.000+0000" {
		t.Errorf("%+v", m)
	}

	w.clock = start.Add(12*time.Minute + 30*time.Second)
	w.set("millrace-prod-persist-error-rate-critical", OK)
	w.handle(t, w.set(persistP1, OK))
	p = w.want(t, "page-p1 resolved")[0]
	if p.subject != "OK: P1 persist-p1 is over after 12m30s (prod)" || p.program.NewStateValue != OK || p.program.OldStateValue != InAlarm || p.program.Millrace.LastedSeconds != 750 {
		t.Errorf("%q %+v", p.subject, p.program)
	}
	if !strings.Contains(p.email, "From 2026-11-24 03:15:00 UTC to 2026-11-24 03:27:30 UTC, 12m30s.\n") {
		t.Error(p.email)
	}
	if s := w.state(t); len(s.Pages) != 0 {
		t.Errorf("remembered: %+v", s.Pages)
	}
}

// Unanswered, a P1 reaches the secondary after its response time and engineering after as
// long again, each told who has not answered.
func TestEscalation(t *testing.T) {
	w := newWorld(t)
	w.handle(t, w.set(persistP1, InAlarm))
	w.want(t, "page-p1 opened")
	for minute := 1; minute <= 40; minute++ {
		w.clock = start.Add(time.Duration(minute) * time.Minute)
		w.handle(t, []byte(tick))
		switch minute {
		case 15:
			p := w.want(t, "page-secondary escalated")[0]
			if !strings.HasPrefix(p.email, "UNANSWERED: P1 critical, persist-p1, environment prod\nPrimary on-call has not acknowledged it within 15 minutes. You are secondary on-call.\n") {
				t.Error(p.email)
			}
		case 30:
			p := w.want(t, "page-engineering escalated")[0]
			if !strings.Contains(p.email, "Secondary on-call has not acknowledged it within 15 minutes. You are engineering.\n") ||
				!strings.Contains(p.email, "Respond now: there is nobody after you.\n") {
				t.Error(p.email)
			}
		default:
			w.want(t, "")
		}
	}
	w.handle(t, w.set(persistP1, OK))
	w.want(t, "page-p1 resolved, page-secondary resolved, page-engineering resolved")
}

// An acknowledged page stays with whoever has it; those who were paged besides are told.
func TestAcknowledge(t *testing.T) {
	for _, name := range []string{"persist-p1", persistP1, PageID(persistP1, start)} {
		w := newWorld(t)
		w.handle(t, w.set(persistP1, InAlarm))
		w.clock = start.Add(16 * time.Minute)
		w.handle(t, []byte(tick))
		w.want(t, "page-p1 opened, page-secondary escalated")
		a := w.handle(t, ackOf(name, "ada"))
		if len(a.Pages) != 1 || a.Pages[0].Acked.By != "ada" || a.Pages[0].Next != nil {
			t.Fatalf("%+v", a)
		}
		p := w.want(t, "page-secondary acknowledged")[0]
		if !strings.Contains(p.email, "ada has it since 2026-11-24 03:31:00 UTC. You need not do anything.\n") {
			t.Error(p.email)
		}
		if a := w.handle(t, ackOf(name, "bob")); a.Pages[0].Acked.By != "ada" {
			t.Errorf("%+v", a)
		}
		w.clock = start.Add(24 * time.Hour)
		w.handle(t, []byte(tick))
		w.want(t, "")
		if a := w.handle(t, []byte(`{"pages":true}`)); len(a.Pages) != 1 || a.Pages[0].Name != "persist-p1" {
			t.Errorf("%+v", a)
		}
	}
}

// A request that cannot be done is refused in the answer: an error of the function pages.
func TestRefusedRequests(t *testing.T) {
	w := newWorld(t)
	if a := w.handle(t, []byte(`{"pages":true}`)); a.Pages == nil || len(a.Pages) != 0 || a.Refused != "" {
		t.Errorf("%+v", a)
	}
	w.handle(t, w.set(persistP1, InAlarm))
	if a := w.handle(t, ackOf("persist-p2", "ada")); !a.NotFound || a.Refused != "no such page is open: persist-p2" || len(a.Pages) != 1 || a.Pages[0].Name != "persist-p1" {
		t.Errorf("%+v", a)
	}
	if a := w.handle(t, []byte(`{"ack":{"page":"persist-p1"}}`)); a.NotFound || !strings.Contains(a.Refused, "page and by") {
		t.Errorf("%+v", a)
	}
	w.open.load = func() error { return errDown }
	if _, err := w.Handle(t.Context(), ackOf("persist-p1", "ada")); !errors.Is(err, errDown) {
		t.Error(err)
	}
}

// P4 waits for the next business day: it goes to nobody else.
func TestNoEscalation(t *testing.T) {
	w := newWorld(t)
	w.handle(t, w.set("millrace-prod-persist-p4", InAlarm))
	p := w.want(t, "page-p4 opened")[0]
	if !strings.Contains(p.email, "Respond on the next business day.\n") {
		t.Error(p.email)
	}
	w.clock = start.Add(100 * time.Hour)
	w.handle(t, []byte(tick))
	w.want(t, "")
}

// SNS delivers twice and in any order.
func TestOrderOfDelivery(t *testing.T) {
	w := newWorld(t)
	on := w.set(persistP1, InAlarm)
	w.clock = w.clock.Add(time.Minute)
	off := w.set(persistP1, OK)

	w.handle(t, off)
	w.want(t, "")
	w.handle(t, on) // too late: nobody is left with an open page, and nobody misses it
	w.want(t, "page-p1 opened, page-p1 resolved")
	w.handle(t, on)
	w.handle(t, off)
	w.want(t, "")

	w.clock = w.clock.Add(time.Minute)
	again := w.set(persistP1, InAlarm)
	w.handle(t, again)
	w.handle(t, again)
	w.handle(t, off) // of the fault before
	w.want(t, "page-p1 opened")
	w.handle(t, ackOf("persist-p1", "ada"))

	w.clock = w.clock.Add(time.Minute) // its OK is lost: the next fault is a page of its own
	w.handle(t, w.set(persistP1, InAlarm))
	w.want(t, "page-p1 opened")
	if open := w.handle(t, []byte(`{"pages":true}`)).Pages; len(open) != 1 || open[0].Acked != nil {
		t.Errorf("%+v", open)
	}
}

// A message that never came is made up for by asking CloudWatch.
func TestReconcile(t *testing.T) {
	w := newWorld(t)
	w.handle(t, w.set(persistP1, InAlarm))
	w.handle(t, w.set("millrace-prod-ingest-p1", InAlarm))
	w.want(t, "page-p1 opened, page-p1 opened")
	w.clock = start.Add(5 * time.Minute)
	lost := w.set(persistP1, OK)
	delete(w.alarms.all, "millrace-prod-ingest-p1")
	w.clock = start.Add(20 * time.Minute)

	w.alarms.err = errDown // CloudWatch's silence is no recovery
	w.handle(t, []byte(tick))
	w.want(t, "page-secondary escalated, page-secondary escalated")

	w.alarms.err = nil
	w.handle(t, []byte(tick))
	sent := w.want(t, "page-p1 resolved, page-secondary resolved, page-p1 resolved, page-secondary resolved")
	if sent[0].program.StateChangeTime != "2026-11-24T03:20:00.000+0000" || !strings.Contains(sent[2].program.NewStateReason, "does not exist") {
		t.Errorf("%+v", sent)
	}
	w.handle(t, lost)
	w.want(t, "")
}

// An escalation shows the values of the moment.
func TestEscalationRefreshesValues(t *testing.T) {
	w := newWorld(t)
	const child = "millrace-prod-persist-error-rate-critical"
	w.fault(persistP1, child, `{"recentDatapoints":[60]}`, "GreaterThanThreshold", 50)
	w.handle(t, w.set(persistP1, InAlarm))
	w.take()
	a := w.alarms.all[child]
	a.ReasonData = `{"recentDatapoints":[97]}`
	w.alarms.all[child] = a
	w.clock = start.Add(15 * time.Minute)
	w.handle(t, []byte(tick))
	if p := w.want(t, "page-secondary escalated")[0]; !strings.Contains(p.email, "97 % (alarm: > 50 %)") {
		t.Error(p.email)
	}
}

// A condition of an alarm with several is named; so is the alarm of somebody else.
func TestFaults(t *testing.T) {
	w := newWorld(t)
	over := 3.0
	w.alarms.all[persistP1] = Alarm{Name: persistP1, State: InAlarm, Rule: `ALARM("both") OR ALARM("fine")`}
	w.alarms.all["both"] = Alarm{Name: "both", State: InAlarm, Rule: `ALARM("one") AND ALARM("two")`, Description: "two\nthings"}
	w.alarms.all["one"] = Alarm{Name: "one", State: InAlarm, ReasonData: `{"recentDatapoints":[]}`, Comparison: "LessThanThreshold", Threshold: &over}
	w.alarms.all["two"] = Alarm{Name: "two", State: InAlarm, ReasonData: "", Comparison: "GreaterThanOrEqualToThreshold", Threshold: &over}
	w.alarms.all["fine"] = Alarm{Name: "fine", State: OK}
	w.handle(t, w.set(persistP1, InAlarm))
	p := w.want(t, "page-p1 opened")[0]
	if !strings.Contains(p.email, "both\n  two things\n  no data (alarm: < 3)\n  no data (alarm: ≥ 3)\n") || strings.Contains(p.email, "fine") {
		t.Error(p.email)
	}

	w.handle(t, w.set("somebody's alarm", InAlarm)) // unknown is not harmless
	w.want(t, "page-p1 opened")
}

// CloudWatch cannot be asked: the page goes out with what the message says.
func TestPageWithoutValues(t *testing.T) {
	w := newWorld(t)
	w.alarms.err = errDown
	w.handle(t, sns(`{"AlarmName":"millrace-prod-persist-p1","NewStateValue":"ALARM","StateChangeTime":"2026-11-24T03:15:00.123Z","AlarmRule":"ALARM(\"a\")",`+
		`"TriggeringChildren":[{"Arn":"arn:aws:cloudwatch:eu-west-1:1:alarm:millrace-prod-persist-error-rate-critical"}]}`))
	if p := w.want(t, "page-p1 opened")[0]; !strings.Contains(p.email, "Run first: millrace dlq list --target aws --env prod") {
		t.Error(p.email)
	}
}

// What cannot be read is passed on as it is; what else came with it is handled.
func TestUnreadable(t *testing.T) {
	w := newWorld(t)
	w.handle(t, sns("plain text <&> \x00", string(mustMessage(w))))
	sent := w.want(t, "page-p1 unreadable, page-p1 opened")
	if !strings.HasSuffix(sent[0].email, "The input, as it came:\n\nplain text <&> \x00\n") || sent[0].program.Millrace.Input != "plain text <&> \x00" {
		t.Errorf("%q", sent[0].email)
	}
	w.handle(t, []byte(`{"source":"aws.health"}`))
	if p := w.want(t, "page-p1 unreadable")[0]; p.program.Millrace.Input != `{"source":"aws.health"}` {
		t.Errorf("%+v", p)
	}
	w.handle(t, []byte(strings.Repeat("\x01é", 1<<17))) // larger than SNS takes
	if p := w.want(t, "page-p1 unreadable")[0]; !strings.Contains(p.email, "the log of on-call has all of it") {
		t.Errorf("%.300s", p.email)
	}
	w.topics.fail = func(string) error { return errDown }
	if _, err := w.Handle(t.Context(), []byte("x")); !errors.Is(err, errDown) {
		t.Errorf("%v: it is lost", err)
	}
}

func mustMessage(w *world) []byte {
	in, _ := Parse(w.set(persistP1, InAlarm))
	return in.Changes[0].Message
}

// A message of CloudWatch that is too large to be passed on with a page still pages.
func TestLargeMessage(t *testing.T) {
	w := newWorld(t)
	w.handle(t, sns(`{"AlarmName":"x","NewStateValue":"ALARM","StateChangeTime":"2026-11-24T03:15:00.123Z","AlarmDescription":"`+strings.Repeat("x", 256<<10)+`\n"}`))
	if p := w.want(t, "page-p1 ")[0]; !strings.Contains(p.email, "`millrace pages` has it") {
		t.Errorf("%.300s", p.email)
	}
}
