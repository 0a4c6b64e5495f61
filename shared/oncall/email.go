package oncall

import (
	"fmt"
	"math"
	"strings"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// clock is how an email writes a time.
const clock = "2006-01-02 15:04:05 UTC"

// maxFaults is how many alarms an email lists in full.
const maxFaults = 10

// email is the page as a person reads it who was asleep a minute ago: what is wrong, what
// to do, in that order.
func (w *writer) email(d Due) string {
	var b strings.Builder
	p := &d.Page
	w.head(&b, d)
	if d.Notice.Kind == Resolved {
		fmt.Fprintf(&b, "From %s to %s, %s.\n", p.Opened.UTC().Format(clock), p.Resolved.At.UTC().Format(clock), length(p.Resolved.At.Sub(p.Opened)))
		if p.Acked != nil {
			fmt.Fprintf(&b, "%s had acknowledged it at %s.\n", oneLine(p.Acked.By), p.Acked.At.UTC().Format(clock))
		}
		fmt.Fprintf(&b, "It was:\n\n")
	} else {
		fmt.Fprintf(&b, "Since %s.\n", p.Opened.UTC().Format(clock))
		if p.Found {
			fmt.Fprintf(&b, "CloudWatch's message of it did not arrive: on-call found the alarm when it looked.\n")
		}
		w.respond(&b, p, d.Notice.Kind)
	}
	w.faults(&b, p)
	fmt.Fprintf(&b, "Dashboard: %s\n", w.place.dashboard())
	if stage := w.table.stage(p.Alarm); stage != "" {
		fmt.Fprintf(&b, "Logs: %s\n", w.place.logs(stage, p.Opened))
	}
	fmt.Fprintf(&b, "\nPage %s\n", p.ID)
	if p.Unkept != "" {
		fmt.Fprintf(&b, "This page could not be written down: it may come again, and nobody else is paged. The reason: %s\n", oneLine(p.Unkept))
	}
	if d.Notice.Attempts > 1 {
		fmt.Fprintf(&b, "You may have had this page before: it is sent again because it is not certain that it was sent.\n")
	}
	return b.String()
}

// head says what the page is.
func (w *writer) head(b *strings.Builder, d Due) {
	p, s := &d.Page, d.Page.severity()
	what := fmt.Sprintf("%s %s, %s, environment %s", s.Name, s.Label, w.place.name(p.Alarm), w.place.Env)
	switch d.Notice.Kind {
	case Escalated:
		fmt.Fprintf(b, "UNANSWERED: %s\n%s has not acknowledged it within %s. You are %s.\n", what, upperFirst(s.Chain[min(d.Notice.Level, len(s.Chain)-1)-1]), s.Within(), s.Chain[min(d.Notice.Level, len(s.Chain)-1)])
	case Taken:
		fmt.Fprintf(b, "ACKNOWLEDGED: %s\n%s has it since %s. You need not do anything.\n", what, oneLine(p.Acked.By), p.Acked.At.UTC().Format(clock))
		if p.Acked.Note != "" {
			fmt.Fprintf(b, "Note: %s\n", oneLine(p.Acked.Note))
		}
	case Resolved:
		fmt.Fprintf(b, "OK: %s\n", what)
	default:
		fmt.Fprintf(b, "ALARM: %s\n", what)
	}
}

// respond says by when to answer, how, and who is next.
func (w *writer) respond(b *strings.Builder, p *Page, k Kind) {
	s := p.severity()
	switch at, role, ok := p.Next(); {
	case p.Acked != nil:
		if k != Taken {
			fmt.Fprintf(b, "%s has it since %s.\n", oneLine(p.Acked.By), p.Acked.At.UTC().Format(clock))
		}
	case ok:
		fmt.Fprintf(b, "Respond within %s. If nobody acknowledges it by %s, it goes to %s.\nAcknowledge: %s\n", s.Within(), at.UTC().Format(clock), role, w.ackCommand(p))
	case s.Respond == 0:
		fmt.Fprintf(b, "Respond on the %s.\nAcknowledge: %s\n", s.Within(), w.ackCommand(p))
	default:
		fmt.Fprintf(b, "Respond now: there is nobody after you.\nAcknowledge: %s\n", w.ackCommand(p))
	}
	fmt.Fprintln(b)
}

// faults says of each alarm behind the page what it is and what to run first.
func (w *writer) faults(b *strings.Builder, p *Page) {
	if len(p.Faults) == 0 {
		fmt.Fprintf(b, "Which alarms are behind it could not be found out. Look at the dashboard.\n\n")
	}
	for i, f := range p.Faults {
		if i == maxFaults {
			fmt.Fprintf(b, "… and %d more.\n\n", len(p.Faults)-i)
			return
		}
		w.fault(b, f)
	}
}

func (w *writer) fault(b *strings.Builder, f Fault) {
	e, known := w.table.alarms[f.Alarm]
	if !known {
		fmt.Fprintf(b, "%s\n", w.place.name(f.Alarm))
		if f.Description != "" {
			fmt.Fprintf(b, "  %s\n", oneLine(f.Description))
		}
	} else {
		fmt.Fprintf(b, "%s: %s\n", e.alarm.Name, e.alarm.Meaning)
	}
	for _, r := range f.Readings {
		fmt.Fprintf(b, "  %s\n", w.reading(r))
	}
	if known {
		fmt.Fprintf(b, "  Run first: %s\n", w.place.command(e.alarm.Command))
	}
	fmt.Fprintln(b)
}

// reading is a value against its threshold: "62.5 % (alarm: > 50 %)".
func (w *writer) reading(r Reading) string {
	unit, name := "", ""
	if c := w.table.alarms[r.Alarm].condition; c != nil {
		if c.Unit != "" {
			unit = " " + c.Unit
		}
		if c.Name != "" {
			name = c.Name + ": "
		}
	}
	value := number(r.Value)
	if r.Value != nil {
		value += unit
	}
	if r.Threshold == nil {
		return name + value
	}
	return fmt.Sprintf("%s%s (alarm: %s %s%s)", name, value, spec.Comparison(r.Comparison).Symbol(), number(r.Threshold), unit)
}

// round to four significant digits, and not to less than whole numbers: what a person
// reads of 62.483915 is 62.48.
func round(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return v
	}
	scale := math.Pow(10, max(0, 3-math.Floor(math.Log10(math.Abs(v)))))
	if math.IsInf(scale, 0) {
		return v
	}
	return math.Round(v*scale) / scale
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// oneLine keeps text that came from elsewhere on its line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
