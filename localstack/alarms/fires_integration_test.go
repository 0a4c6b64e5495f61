//go:build integration

package alarms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// target is an alarm of a stage that is to fire.
type target struct {
	stage string
	alarm spec.Alarm
}

// the alarms of a stage by their names.
func the(t *testing.T, stage string, names ...string) []target {
	t.Helper()
	var targets []target
	for _, name := range names {
		a, ok := spec.AlarmByName(name)
		if !ok {
			t.Fatalf("there is no alarm %s", name)
		}
		targets = append(targets, target{stage, a})
	}
	return targets
}

// sign of an alarm that it has fired.
type sign struct {
	target
	alarm, pager, page bool
	after              time.Duration // all of it
	why                error         // why no page tells of it
}

func (s *sign) missing() string {
	var m []string
	if !s.alarm {
		m = append(m, "it is not in ALARM")
	}
	if !s.pager {
		m = append(m, "its composite alarm is not in ALARM")
	}
	if !s.page {
		m = append(m, fmt.Sprintf("no right page: %v", s.why))
	}
	if len(m) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s: %s", s.stage, s.target.alarm.Name, strings.Join(m, ", "))
}

// fire waits until each target has been in ALARM, its composite alarm too, and a page with
// the right text has come. It returns those of which that is not so when the time is over.
func (d *deployment) fire(t *testing.T, atMost time.Duration, targets ...target) (silent []string) {
	t.Helper()
	signs := make([]sign, len(targets))
	for i := range signs {
		signs[i].target = targets[i]
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), atMost)
	defer cancel()
	for {
		if err := d.look(ctx, signs); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		silent = nil
		for i := range signs {
			switch m := signs[i].missing(); {
			case m != "":
				silent = append(silent, m)
			case signs[i].after == 0:
				signs[i].after = time.Since(begun)
			}
		}
		if len(silent) == 0 {
			logFired(t, signs)
			return nil
		}
		select {
		case <-ctx.Done():
			return silent
		case <-time.After(time.Second):
		}
	}
}

// logFired logs how long the alarms took to page, and which was the slowest.
func logFired(t *testing.T, signs []sign) {
	t.Helper()
	slices.SortFunc(signs, func(a, b sign) int { return cmp.Compare(a.after, b.after) })
	last := &signs[len(signs)-1]
	t.Logf("%d alarms have fired and paged: half of them within %s, the last, %s of %s, within %s",
		len(signs), signs[len(signs)/2].after.Round(time.Second), last.target.alarm.Name, last.stage, last.after.Round(time.Second))
}

// fires is fire for targets that all must.
func (d *deployment) fires(t *testing.T, atMost time.Duration, targets ...target) {
	t.Helper()
	if silent := d.fire(t, atMost, targets...); len(silent) > 0 {
		t.Fatalf("after %s:\n%s", atMost, strings.Join(silent, "\n"))
	}
}

// look takes down what is so by now.
func (d *deployment) look(ctx context.Context, signs []sign) error {
	states, err := d.states(ctx)
	if err == nil {
		err = d.pager.read(ctx)
	}
	if err != nil {
		return err
	}
	for i := range signs {
		s := &signs[i]
		name := spec.AlarmName(d.Env, s.stage, s.target.alarm.Name)
		s.alarm = s.alarm || states[name] == types.StateValueAlarm
		s.pager = s.pager || states[spec.PagerName(d.Env, s.stage, s.target.alarm.Severity)] == types.StateValueAlarm
		if s.page {
			continue
		}
		if s.why = d.pager.told(d.Env, s.target); s.why == nil {
			s.page, d.paged[name] = true, true
		}
	}
	return nil
}

// told is nil when a page of the target's pager tells of it rightly.
func (p *pager) told(env string, x target) error {
	why := errors.New("there is none")
	for i := range p.pages {
		g := &p.pages[i]
		if g.AlarmName != spec.PagerName(env, x.stage, x.alarm.Severity) || !g.opens() {
			continue
		}
		err := g.tells(env, x)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errAbsent) || i == len(p.pages)-1 {
			why = err
		}
	}
	return why
}

// ends waits until all alarms are OK and have said so, checks that each pager has paged
// once, or as often as more says, and forgets the pages.
func (d *deployment) ends(t *testing.T, more map[string]int) {
	t.Helper()
	begun := time.Now()
	d.awaitOver(t, 90*time.Second)
	t.Logf("all alarms have ended within %s", time.Since(begun).Round(time.Second))
	for name, n := range d.pager.opened() {
		if want := max(more[name], 1); n != want {
			t.Errorf("%s has paged %d times, want %d: one fault, one page", name, n, want)
			for i := range d.pager.pages {
				if g := &d.pager.pages[i]; g.AlarmName == name {
					t.Logf("%s", g.Subject)
				}
			}
		}
	}
	d.pager.forget()
}
