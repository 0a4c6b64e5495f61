package oncall

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// ErrNoPage: no page is open by that name.
var ErrNoPage = errors.New("no such page is open")

// State is everything that on-call remembers: one JSON object.
type State struct {
	Pages []Page `json:"pages"` // open, or with something still to be published
	// Closed remembers the last page of each alarm, so that a message that SNS delivers
	// late or twice does not open it again.
	Closed map[string]Closed `json:"closed,omitempty"`
}

// Closed are the transitions of an alarm that is OK.
type Closed struct {
	Opened   time.Time `json:"opened,omitzero"` // zero: none is known
	Resolved time.Time `json:"resolved"`
}

// forgetAfter is how long an alarm's last page is remembered. Lambda gives up on a
// message of SNS after 6 hours (AWS Lambda Developer Guide, "Asynchronous invocation").
const forgetAfter = 24 * time.Hour

// Page is an alarm that somebody must respond to. An alarm has at most one that is open.
type Page struct {
	ID       string          `json:"id"` // PageID
	Alarm    string          `json:"alarm"`
	Severity string          `json:"severity"`
	Opened   time.Time       `json:"opened"` // when the alarm went off
	Paged    time.Time       `json:"paged"`  // when on-call heard of it: response times count from here
	Level    int             `json:"level"`  // index in the severity's chain of the last role that is paged
	Acked    *Ack            `json:"acked,omitempty"`
	Resolved *Resolution     `json:"resolved,omitempty"`
	Faults   []Fault         `json:"faults,omitempty"`  // the alarms behind it, as they were last seen
	Message  json.RawMessage `json:"message,omitempty"` // CloudWatch's own
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
	At     time.Time `json:"at"` // when the alarm became OK
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

// openPage of an alarm, nil without one.
func (s *State) openPage(alarm string) *Page {
	for i := range s.Pages {
		if p := &s.Pages[i]; p.Alarm == alarm && p.open() {
			return p
		}
	}
	return nil
}

// Open are the open pages, the most urgent first and of these the oldest.
func (s *State) Open() []Page {
	var open []Page
	for i := range s.Pages {
		if s.Pages[i].open() {
			open = append(open, s.Pages[i])
		}
	}
	slices.SortStableFunc(open, func(a, b Page) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), a.Opened.Compare(b.Opened))
	})
	return open
}

// Apply takes a change of an alarm's state into account. SNS delivers at least once and
// in any order, so the transitions' own times decide, not the order in which they come.
// INSUFFICIENT_DATA changes nothing: a composite alarm has it only after it was created
// (Amazon CloudWatch API reference, PutCompositeAlarm).
func (s *State) Apply(c StateChange, severity string, faults []Fault, now time.Time) {
	switch c.State {
	case InAlarm:
		s.alarm(c, severity, faults, now)
	case OK:
		s.ok(c.Alarm, c.At, c.Reason)
	}
	s.tidy(now)
}

func (s *State) alarm(c StateChange, severity string, faults []Fault, now time.Time) {
	if slices.ContainsFunc(s.Pages, func(p Page) bool { return p.Alarm == c.Alarm && !p.Opened.Before(c.At) }) {
		return // this transition is known, or overtaken by a later one
	}
	last := s.Closed[c.Alarm]
	if !last.Opened.IsZero() && !c.At.After(last.Opened) {
		return
	}
	if old := s.openPage(c.Alarm); old != nil {
		// Its OK was lost. The new page stands for it, and nobody has acknowledged that.
		s.remove(old.ID)
	}
	s.Pages = append(s.Pages, Page{
		ID: PageID(c.Alarm, c.At), Alarm: c.Alarm, Severity: severity, Opened: c.At, Paged: now,
		Faults: faults, Message: c.Message, Notices: []Notice{{Kind: Opened}},
	})
	if c.At.Before(last.Resolved) { // the OK came first
		s.ok(c.Alarm, last.Resolved, "")
	}
}

func (s *State) ok(alarm string, at time.Time, reason string) {
	closed := s.Closed[alarm]
	if p := s.openPage(alarm); p != nil {
		if at.Before(p.Opened) {
			return // of an earlier fault
		}
		p.Resolved = &Resolution{At: at, Reason: reason}
		p.drop(Escalated)
		for level := range p.Level + 1 {
			p.Notices = append(p.Notices, Notice{Kind: Resolved, Level: level})
		}
		closed.Opened = p.Opened
	}
	if at.After(closed.Resolved) {
		closed.Resolved = at
	}
	if s.Closed == nil {
		s.Closed = make(map[string]Closed)
	}
	s.Closed[alarm] = closed
}

// drop takes back the notices of a kind.
func (p *Page) drop(k Kind) {
	p.Notices = slices.DeleteFunc(p.Notices, func(n Notice) bool { return n.Kind == k })
}

func (s *State) remove(id string) {
	s.Pages = slices.DeleteFunc(s.Pages, func(p Page) bool { return p.ID == id })
}

// tidy forgets what has been dealt with.
func (s *State) tidy(now time.Time) {
	s.Pages = slices.DeleteFunc(s.Pages, func(p Page) bool { return !p.open() && len(p.Notices) == 0 })
	for alarm, c := range s.Closed {
		if now.Sub(c.Resolved) > forgetAfter {
			delete(s.Closed, alarm)
		}
	}
}

// Acknowledge marks the open page that name means: by its id, its alarm's name, or that
// name without the prefix of the environment. An acknowledged page does not escalate. The
// first to acknowledge it stays the one who did.
func (s *State) Acknowledge(r AckRequest, prefix string, now time.Time) (Page, error) {
	for i := range s.Pages {
		p := &s.Pages[i]
		if !p.open() || (r.Page != p.ID && r.Page != p.Alarm && prefix+r.Page != p.Alarm) {
			continue
		}
		if p.Acked == nil {
			p.Acked = &Ack{By: r.By, Note: r.Note, At: now}
			p.drop(Escalated)
			for level := range p.Level {
				p.Notices = append(p.Notices, Notice{Kind: Taken, Level: level + 1})
			}
		}
		return *p, nil
	}
	return Page{}, fmt.Errorf("%w: %s", ErrNoPage, r.Page)
}

// Reconcile resolves the open pages whose alarms are OK by now or gone: the message that
// said so was lost. now is when the alarms were asked.
func (s *State) Reconcile(alarms map[string]Alarm, now time.Time) {
	for _, p := range s.Open() {
		switch a, ok := alarms[p.Alarm]; {
		case !ok:
			s.ok(p.Alarm, now, "the alarm does not exist any more")
		case a.State == OK: // ok ignores one of before the page
			s.ok(p.Alarm, a.Since, a.Reason)
		}
	}
}

// Refresh replaces what is behind pages, by page id, with what is behind them now.
func (s *State) Refresh(behind map[string][]Fault) {
	for i := range s.Pages {
		if f := behind[s.Pages[i].ID]; len(f) > 0 {
			s.Pages[i].Faults = f
		}
	}
}

// Escalate pages the next role for every page that nobody has acknowledged in time: the
// response time after the page for the second, as long again for the third.
func (s *State) Escalate(now time.Time) {
	for i := range s.Pages {
		p := &s.Pages[i]
		for p.overdue(now) {
			p.Level++
			p.Notices = append(p.Notices, Notice{Kind: Escalated, Level: p.Level})
		}
	}
}

func (p *Page) overdue(now time.Time) bool {
	at, _, ok := p.Next()
	return ok && !now.Before(at)
}

// Next is when the page goes to whom if nobody acknowledges it; ok is false when it goes
// to nobody else.
func (p *Page) Next() (at time.Time, role string, ok bool) {
	s := p.severity()
	if !p.open() || p.Acked != nil || s.Respond == 0 || p.Level+1 >= len(s.Chain) {
		return time.Time{}, "", false
	}
	return p.Paged.Add(time.Duration(p.Level+1) * s.Respond), s.Chain[p.Level+1], true
}

// Due is one notice to publish now.
type Due struct {
	Page   Page
	Notice Notice
}

// claimFor is how long an invocation has to publish what it claimed: the function's
// timeout, after which Lambda has ended it.
const claimFor = spec.OnCallTimeout

// Claim begins an attempt at every notice that nobody is publishing.
func (s *State) Claim(now time.Time) []Due {
	var due []Due
	for i := range s.Pages {
		p := &s.Pages[i]
		for j := range p.Notices {
			n := &p.Notices[j]
			if now.Before(n.Until) {
				continue
			}
			n.Attempts++
			n.Until = now.Add(claimFor)
			due = append(due, Due{Page: *p, Notice: *n})
		}
	}
	return due
}

// Published strikes out notices that are published.
func (s *State) Published(done []Due, now time.Time) {
	for _, d := range done {
		for i := range s.Pages {
			if p := &s.Pages[i]; p.ID == d.Page.ID {
				p.Notices = slices.DeleteFunc(p.Notices, func(n Notice) bool {
					return n.Kind == d.Notice.Kind && n.Level == d.Notice.Level
				})
			}
		}
	}
	s.tidy(now)
}
