package oncall

import "time"

// messageLate is how long CloudWatch's message of a change of state may take. It comes
// within seconds; after this it counts as lost, and the page is made without it.
const messageLate = 2 * time.Minute

// Sight is an alarm as a tick sees it in CloudWatch.
type Sight struct {
	Alarm           // Name alone where it is Gone
	Gone     bool   // there is none of that name
	Severity string // of its page
	// Direct: CloudWatch publishes its page itself, and on-call gets no message.
	Direct bool
	Behind *Behind // nil: it was not asked for
}

// late: the message of the alarm must have come by now.
func (a *Sight) late(now time.Time) bool {
	return a.State == InAlarm && !a.Since.IsZero() && now.Sub(a.Since) > messageLate
}

// Asks says whether the next of Reconcile, Find and Escalate needs to know what is behind
// an alarm.
func (s *State) Asks(a *Sight, now time.Time) bool {
	p := s.openPage(a.Name)
	switch {
	case a.Gone:
		return false
	case p == nil || !p.Muted.IsZero() && a.State == InAlarm:
		return a.late(now) && !a.Direct
	case p.Held:
		return !now.Before(s.PagesFrom(now))
	}
	return true // whoever has the page sees what has joined it since
}

// Reconcile resolves or mutes the open pages whose alarms are OK by now, and resolves those
// whose alarms are gone: the message that said so was lost, or what was behind a muted one
// has ended, of which no message comes. It brings up to date what is behind the others.
func (s *State) Reconcile(seen []Sight, now time.Time) {
	for i := range seen {
		a := &seen[i]
		p := s.openPage(a.Name)
		switch {
		case p == nil:
		case a.Gone:
			s.ok(a.Name, now, "the alarm does not exist any more", Behind{})
		case a.State == OK && p.Held:
			s.ok(a.Name, a.Since, a.Reason, Behind{})
		case a.Behind == nil:
		case a.State == OK:
			s.ok(a.Name, a.Since, a.Reason, *a.Behind)
		case a.State == InAlarm && p.Muted.IsZero() && len(a.Behind.Faults) > 0:
			p.Faults = a.Behind.Faults
		}
	}
}

// Find makes the pages of alarms whose message was lost, and ends the mute of those whose
// message that they went off again was.
func (s *State) Find(seen []Sight, now time.Time) {
	for i := range seen {
		a := &seen[i]
		p := s.openPage(a.Name)
		if a.Direct || !a.late(now) || p != nil && p.Muted.IsZero() {
			continue
		}
		if !a.Since.After(s.Closed[a.Name].Resolved) {
			continue // it became OK after CloudWatch was asked
		}
		var behind Behind
		if a.Behind != nil {
			behind = *a.Behind
		}
		known := ""
		if p != nil {
			known = p.ID
		}
		s.alarm(StateChange{Alarm: a.Name, State: InAlarm, At: a.Since, Reason: a.Reason, Rule: a.Rule}, a.Severity, behind, now)
		if p = s.openPage(a.Name); p == nil || !p.Muted.IsZero() {
			continue // its end is known, by a clock that is ahead
		}
		p.Seen = now
		if p.ID != known {
			p.Found, p.Message = true, a.message()
		}
	}
}

// message is what CloudWatch would have published.
func (a *Alarm) message() []byte {
	return []byte(marshal(map[string]string{
		"AlarmName": a.Name, "AlarmDescription": a.Description, "AlarmRule": a.Rule, "OldStateValue": OK, "NewStateValue": a.State,
		"NewStateReason": a.Reason, "StateChangeTime": formatTime(a.Since),
	}))
}
