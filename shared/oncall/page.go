package oncall

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Page is an alarm that somebody must respond to. An alarm has at most one that is open.
type Page struct {
	ID       string          `json:"id"` // PageID
	Alarm    string          `json:"alarm"`
	Severity string          `json:"severity"`
	Opened   time.Time       `json:"opened"`          // when the alarm went off
	Since    time.Time       `json:"since,omitzero"`  // when it went off again after a mute; zero: it has not
	Paged    time.Time       `json:"paged"`           // when on-call last let it go out: response times count from here
	From     int             `json:"from,omitempty"`  // the level that it had then
	Level    int             `json:"level"`           // index in the severity's chain of the last role that is paged
	Held     bool            `json:"held,omitempty"`  // nobody has been told: the deployment is not armed (State.Armed)
	Muted    time.Time       `json:"muted,omitzero"`  // since when its alarm is OK although what is behind it is not; zero: it is not muted
	Found    bool            `json:"found,omitempty"` // a tick found the alarm; CloudWatch's message has not come
	Seen     time.Time       `json:"seen,omitzero"`   // when a tick last found the alarm so: later messages of before are known
	Acked    *Ack            `json:"acked,omitempty"`
	Resolved *Resolution     `json:"resolved,omitempty"`
	Faults   []Fault         `json:"faults,omitempty"`  // the alarms behind it, as they were last seen
	Message  json.RawMessage `json:"message,omitempty"` // CloudWatch's own, or one like it of a page that is Found
	Notices  []Notice        `json:"notices,omitempty"` // to be published, in this order
	// Unkept is why this page could not be written down. It is never in the State.
	Unkept string `json:"-"`
}

// PageID of an alarm that went off at a time: "millrace-prod-persist-p1@20261124T031500.123Z".
func PageID(alarm string, at time.Time) string {
	return alarm + "@" + at.UTC().Format("20060102T150405.000Z")
}

// Ack is who has taken a page.
type Ack struct {
	By   string    `json:"by"`
	Note string    `json:"note,omitempty"`
	At   time.Time `json:"at"`
}

// Resolution is how a page ended.
type Resolution struct {
	At     time.Time `json:"at"` // when the alarm became OK; of a muted page, when the last alarm behind it did
	Reason string    `json:"reason,omitempty"`
}

// Kind of a notice.
type Kind string

// Kinds of notices.
const (
	Opened    Kind = "opened"
	Escalated Kind = "escalated"
	Taken     Kind = "acknowledged"
	Resolved  Kind = "resolved"
)

// Notice is one publication that is not known to have happened.
type Notice struct {
	Kind  Kind `json:"kind"`
	Level int  `json:"level"` // whom it is for
	// Attempts begun. From the second on the notice may have been published before.
	Attempts int `json:"attempts,omitempty"`
	// Until then the invocation that began the last attempt is trusted to finish it.
	Until time.Time `json:"until,omitzero"`
}

// severity of the page. What the table does not know is critical: better once too loud.
func (p *Page) severity() spec.Severity {
	if s, ok := spec.SeverityByName(p.Severity); ok {
		return s
	}
	return spec.Severities[0]
}

// open: somebody must still respond, or has and the alarm goes on.
func (p *Page) open() bool { return p.Resolved == nil }

// quiet: nothing of the page is published, and it goes to nobody else.
func (p *Page) quiet() bool { return p.Held || !p.Muted.IsZero() }

// since is the alarm's last transition to ALARM that is known, by CloudWatch's clock.
func (p *Page) since() time.Time { return latest(p.Opened, p.Since) }

// heard is when the alarm last is known to have been in ALARM: a message that it went off
// by then is no news.
func (p *Page) heard() time.Time { return latest(p.since(), p.Seen) }

// hear takes a message into account that is no news: of a page that was found, it is
// CloudWatch's own at last, and its time the more exact one.
func (p *Page) hear(c StateChange) {
	if c.Message == nil || !p.open() || c.At.Before(p.Opened) {
		return
	}
	if c.At.After(p.since()) {
		p.Since = c.At
	}
	if p.Found {
		p.Found, p.Message = false, c.Message
	}
}

// mute the page: nobody is told anything until its alarm goes off again, or what is behind
// it has ended too.
func (p *Page) mute(at time.Time, faults []Fault) {
	p.Muted = latest(p.Muted, at)
	if len(p.Faults) == 0 {
		p.Faults = faults
	}
}

// resume ends the mute. Whoever had the page has it still; where nobody had, response times
// begin anew for the role that it had reached.
func (p *Page) resume(at time.Time, faults []Fault, now time.Time) {
	p.Muted, p.Since = time.Time{}, at
	if p.Acked == nil {
		p.Paged, p.From = now, p.Level
	}
	if len(faults) > 0 {
		p.Faults = faults
	}
}

// resolve ends the page, and lets all who were told of it know.
func (p *Page) resolve(at time.Time, reason string) {
	p.Resolved, p.Muted = &Resolution{At: at, Reason: reason}, time.Time{}
	p.drop(Escalated)
	for level := range p.Level + 1 {
		p.Notices = append(p.Notices, Notice{Kind: Resolved, Level: level})
	}
}

// drop takes back the notices of a kind.
func (p *Page) drop(k Kind) {
	p.Notices = slices.DeleteFunc(p.Notices, func(n Notice) bool { return n.Kind == k })
}

func (p *Page) overdue(now time.Time) bool {
	at, _, ok := p.Next()
	return ok && !now.Before(at)
}

// Next is when the page goes to whom if nobody acknowledges it; ok is false when it goes
// to nobody else.
func (p *Page) Next() (at time.Time, role string, ok bool) {
	s := p.severity()
	if !p.open() || p.quiet() || p.Acked != nil || s.Respond == 0 || p.Level+1 >= len(s.Chain) {
		return time.Time{}, "", false
	}
	return p.Paged.Add(time.Duration(p.Level+1-p.From) * s.Respond), s.Chain[p.Level+1], true
}

// latest of times.
func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
