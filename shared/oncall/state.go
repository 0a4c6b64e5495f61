package oncall

import (
	"cmp"
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
	// Begun is when on-call first ran on this deployment; zero: it has not.
	Begun time.Time `json:"begun,omitzero"`
	// Armed is when the deployment was first whole, or had had the time to be (armAfter);
	// zero: it has not been yet, and pages are held.
	Armed time.Time `json:"armed,omitzero"`
}

// Closed are the transitions of an alarm that is OK.
type Closed struct {
	Opened   time.Time `json:"opened,omitzero"` // zero: none is known
	Resolved time.Time `json:"resolved"`
}

// forgetAfter is how long an alarm's last page is remembered. Lambda gives up on a
// message of SNS after 6 hours (AWS Lambda Developer Guide, "Asynchronous invocation").
const forgetAfter = 24 * time.Hour

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

// Apply takes a change of an alarm's state into account. behind is what is behind the alarm
// now. SNS delivers at least once and in any order, so the transitions' own times decide,
// not the order in which they come. INSUFFICIENT_DATA changes nothing: a composite alarm
// has it only after it was created (Amazon CloudWatch API reference, PutCompositeAlarm).
func (s *State) Apply(c StateChange, severity string, behind Behind, now time.Time) {
	switch c.State {
	case InAlarm:
		s.alarm(c, severity, behind, now)
	case OK:
		s.ok(c.Alarm, c.At, c.Reason, behind)
	}
	s.Arm(false, now)
	s.tidy(now)
}

func (s *State) alarm(c StateChange, severity string, behind Behind, now time.Time) {
	for i := range s.Pages {
		if p := &s.Pages[i]; p.Alarm == c.Alarm && !c.At.After(p.heard()) {
			p.hear(c) // this transition is known, or overtaken by a later one
			return
		}
	}
	last := s.Closed[c.Alarm]
	if !last.Opened.IsZero() && !c.At.After(last.Opened) {
		return
	}
	if old := s.openPage(c.Alarm); old != nil {
		if c.At.Before(old.Muted) {
			return // overtaken
		}
		if !old.Muted.IsZero() && (len(behind.Faults) == 0 || behind.goesOn(old)) {
			old.resume(c.At, behind.Faults, now)
			return
		}
		// Its OK was lost, or what it was about has ended and this is something else. The new
		// page stands for it, and nobody has acknowledged that.
		s.remove(old.ID)
	}
	s.Pages = append(s.Pages, Page{
		ID: PageID(c.Alarm, c.At), Alarm: c.Alarm, Severity: severity, Opened: c.At, Paged: now, Held: s.Armed.IsZero(),
		Faults: behind.or(c.Triggering), Message: c.Message, Notices: []Notice{{Kind: Opened}},
	})
	if c.At.Before(last.Resolved) { // the OK came first
		s.ok(c.Alarm, last.Resolved, "", behind)
	}
}

// ok ends the page of an alarm that is OK. While what the page is about goes on, the
// alarm's rule mutes it: the page is muted then, and not ended to come again as a new one.
func (s *State) ok(alarm string, at time.Time, reason string, behind Behind) {
	closed := s.Closed[alarm]
	if p := s.openPage(alarm); p != nil {
		if at.Before(p.since()) {
			return // of an earlier fault
		}
		if !p.Held && behind.goesOn(p) {
			p.mute(at, behind.Faults)
			return
		}
		closed.Opened = p.heard()
		if closed.Opened.After(at) { // by the clock of on-call
			closed.Opened = at
		}
		switch {
		case p.Held:
			s.remove(p.ID) // nobody knows of it
		case !p.Muted.IsZero():
			// The alarm itself may have gone off before that for another reason: Closed has
			// its own transitions.
			p.resolve(latest(at, behind.Last), reason)
		default:
			p.resolve(at, reason)
		}
	}
	closed.Resolved = latest(closed.Resolved, at)
	if s.Closed == nil {
		s.Closed = make(map[string]Closed)
	}
	s.Closed[alarm] = closed
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

// Due is one notice to publish now.
type Due struct {
	Page   Page
	Notice Notice
}

// claimFor is how long an invocation has to publish what it claimed: the function's
// timeout, after which Lambda has ended it.
const claimFor = spec.OnCallTimeout

// Claim begins an attempt at every notice that nobody is publishing. Those of pages that
// are held or muted wait.
func (s *State) Claim(now time.Time) []Due {
	var due []Due
	for i := range s.Pages {
		p := &s.Pages[i]
		if p.quiet() {
			continue
		}
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
