package oncall

import (
	"fmt"
	"time"
)

// armAfter is how long on-call holds the pages of a deployment that has never been whole. A
// new deployment is not: alarms for which silence is the failure go off before what they
// watch has run once, and the event store is told to the pipeline after it is deployed
// (`millrace store connect`). Half an hour is enough to do that, and short enough for a
// deployment that fails to be noticed.
const armAfter = 30 * time.Minute

// Arm lets pages out from now on, and those that are held, when the deployment is whole or
// on-call has known it for long enough; response times of what was held begin here. Once
// armed a deployment stays so.
func (s *State) Arm(whole bool, now time.Time) {
	if s.Begun.IsZero() {
		s.Begun = now
	}
	if !s.Armed.IsZero() || !whole && now.Before(s.Begun.Add(armAfter)) {
		return
	}
	s.Armed = now
	for i := range s.Pages {
		if p := &s.Pages[i]; p.Held {
			p.Held, p.Paged = false, now
		}
	}
}

// PagesFrom is when pages go out at the latest; zero: they do. What has not run yet begins
// now.
func (s *State) PagesFrom(now time.Time) time.Time {
	switch {
	case !s.Armed.IsZero():
		return time.Time{}
	case s.Begun.IsZero():
		return now.Add(armAfter)
	}
	return s.Begun.Add(armAfter)
}

// NotWhole says why pages are held until a time.
func NotWhole(until time.Time) string {
	return fmt.Sprintf("this deployment has not been whole yet; it pages from %s UTC on, or as soon as all alarms were OK once", until.UTC().Format("15:04"))
}

// whyMuted says why a page is muted.
const whyMuted = "its alarm is OK, but not what is behind it: a deployment mutes it, and it goes on when that has ended"
