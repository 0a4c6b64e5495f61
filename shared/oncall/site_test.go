package oncall

import (
	"fmt"
	"slices"
	"time"
)

var historyPagers = []string{persistP1, "millrace-prod-ingest-p1", "millrace-prod-process-p2", "millrace-prod-ingest-p4"}

// childNames are the alarms below each pager: a deployment mutes the last two.
var childNames = []string{"always", "muted", "muted2"}

const onCallP1 = "millrace-prod-on-call-p1"

// site is what CloudWatch makes of alarms: pagers with their rules, and a deployment that
// mutes.
type site struct {
	w         *world
	deploying bool
	skew      time.Duration  // how much a transition is before what its message says
	times     map[string]int // how often a pager went off
}

// newSite has all pagers, and nothing wrong.
func newSite(w *world) *site {
	s := &site{w: w, times: map[string]int{}}
	for _, p := range historyPagers {
		for _, c := range childNames {
			w.alarms.all[child(p, c)] = Alarm{Name: child(p, c), State: OK, Since: start}
		}
		w.alarms.all[p] = Alarm{Name: p, State: OK, Since: start, Rule: fmt.Sprintf(
			`ALARM(%q) OR ((ALARM(%q) OR ALARM(%q)) AND (OK("deploying") OR INSUFFICIENT_DATA("deploying")))`,
			child(p, childNames[0]), child(p, childNames[1]), child(p, childNames[2]))}
	}
	w.alarms.all[onCallP1] = Alarm{Name: onCallP1, State: OK, Since: start}
	return s
}

func child(pager, name string) string { return pager + "-" + name }

// flip the state of a child. It returns the messages of the pagers that follow.
func (s *site) flip(pager, name string) [][]byte {
	a := s.w.alarms.all[child(pager, name)]
	a.Since = s.w.clock
	if a.State == InAlarm {
		a.State = OK
	} else {
		a.State = InAlarm
	}
	s.w.alarms.all[a.Name] = a
	return s.judge()
}

// deploy begins a deployment, or ends it.
func (s *site) deploy() [][]byte {
	s.deploying = !s.deploying
	return s.judge()
}

func (s *site) judge() (messages [][]byte) {
	for _, p := range historyPagers {
		state := OK
		if s.on(child(p, childNames[0])) || !s.deploying && (s.on(child(p, childNames[1])) || s.on(child(p, childNames[2]))) {
			state = InAlarm
		}
		if s.w.alarms.all[p].State == state {
			continue
		}
		if state == InAlarm {
			s.times[p]++
		}
		messages = append(messages, s.w.set(p, state))
		a := s.w.alarms.all[p]
		a.Since = a.Since.Add(-s.skew)
		s.w.alarms.all[p] = a
	}
	return messages
}

func (s *site) on(alarm string) bool { return s.w.alarms.all[alarm].State == InAlarm }

// behind says whether an alarm that the page is about is in ALARM: any, where on-call could
// not find out which.
func (s *site) behind(p *Page) bool {
	if len(p.Faults) == 0 {
		return slices.ContainsFunc(childNames, func(name string) bool { return s.on(child(p.Alarm, name)) })
	}
	return slices.ContainsFunc(p.Faults, func(f Fault) bool { return s.on(f.Alarm) })
}
