//go:build integration

package alarms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/localstack/harness/deployed"
	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/oncall"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// outage: MongoDB and Kafka are down. Kafka comes back. Nobody answers the page of persist,
// so it goes to the secondary; he acknowledges it, and it goes to nobody else.
func (d *deployment) outage(t *testing.T) {
	if err := errors.Join(d.Mongo.Stop(t.Context()), d.Kafka.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	down := the(t, spec.Persist, "store-unreachable")
	d.fires(t, 90*time.Second, append(the(t, spec.Ingest, "kafka-unreachable"), down...)...)
	if err := d.Kafka.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Events come again, persist cannot store them, and its breaker stays open.
	stop := d.load(t, 2, func(n int) []byte { return event("/outage", n) })
	late := the(t, spec.Persist, "breaker-open")
	d.joined(t, late[0])
	d.unanswered(t, append(down, late...))
	d.acknowledged(t)
	d.refused(t, down[0])
	if err := d.Mongo.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.ends(t, nil)
	stop()
}

// joined: an alarm whose pager has paged already makes no page of its own, since the
// pager's state does not change. Whoever has the page sees it in the lists of alarms and
// of pages, and so does the next whom the page goes to (unanswered).
func (d *deployment) joined(t *testing.T, late target) {
	t.Helper()
	deployed.Await(t, "the alarm that comes late, in millrace alarms list", 90*time.Second, func(context.Context) error {
		var list struct {
			Alarms []struct{ Alarm, Stage, Severity string }
		}
		d.millrace.JSON(t, &list, "alarms", "list", "--stage", late.stage)
		for _, a := range list.Alarms {
			if a.Alarm == late.alarm.Name && a.Severity == late.alarm.Severity {
				return nil
			}
		}
		return fmt.Errorf("it has %+v", list.Alarms)
	})
	deployed.Await(t, "the alarm that comes late, in millrace pages", 30*time.Second, func(context.Context) error {
		var open oncall.Answer
		d.millrace.JSON(t, &open, "pages")
		for _, p := range open.Pages {
			for _, f := range p.Faults {
				if f.Alarm == spec.AlarmName(d.Env, late.stage, late.alarm.Name) {
					return nil
				}
			}
		}
		return fmt.Errorf("it has %+v", open.Pages)
	})
}

// refused: an alarm that fires by itself is not tested, and none that there is not.
func (d *deployment) refused(t *testing.T, fires target) {
	t.Helper()
	name := spec.AlarmName(d.Env, fires.stage, fires.alarm.Name)
	if says := d.millrace.Refused(t, "alarms", "test", fires.alarm.Name, "--stage", fires.stage); !strings.Contains(says, name+" is in ALARM by itself") {
		t.Errorf("a test of an alarm that fires: %s", says)
	}
	if says := d.millrace.Refused(t, "alarms", "test", "store-unreachabel"); !strings.Contains(says, `no alarm "store-unreachabel"`) || !strings.Contains(says, "store-unreachable") {
		t.Errorf("a test of an alarm that there is not: %s", says)
	}
	if says := d.millrace.Refused(t, "alarms", "test", "kafka-no-controller"); !strings.Contains(says, "it is only there with msk") {
		t.Errorf("a test of an alarm that this deployment has not: %s", says)
	}
}

// page of the persist stage and P1, in on-call and for `millrace ack`.
const persistP1 = "persist-p1"

// unanswered makes the response time of the open page pass: it escalates, and the
// secondary reads of all alarms that are behind it by now.
func (d *deployment) unanswered(t *testing.T, behind []target) {
	t.Helper()
	d.backdate(t, 15*time.Minute)
	deployed.Await(t, "the page of the secondary", 30*time.Second, func(ctx context.Context) error {
		g, err := d.pageOf(ctx, spec.SecondaryTopic, oncall.Escalated)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(g.Subject, "ALARM: P1 "+persistP1+" UNANSWERED") || g.Millrace.To != spec.Secondary || g.Millrace.Next != spec.Engineering {
			return fmt.Errorf("subject %q, to %s, then %s", g.Subject, g.Millrace.To, g.Millrace.Next)
		}
		for _, x := range behind {
			if err := g.tellsOf(d.Env, x); err != nil {
				return fmt.Errorf("%s: %w", x.alarm.Name, err)
			}
		}
		return nil
	})
}

// acknowledged: the page is taken by the command line, all who were paged after the first
// are told, and it does not go to engineering.
func (d *deployment) acknowledged(t *testing.T) {
	t.Helper()
	if out := d.millrace.Run(t, "ack", persistP1, "--by", "ada", "--note", "on it"); !strings.HasPrefix(out, persistP1+" is yours: P1, open for ") {
		t.Errorf("millrace ack: %s", out)
	}
	deployed.Await(t, "the end of the escalation", 30*time.Second, func(ctx context.Context) error {
		_, err := d.pageOf(ctx, spec.SecondaryTopic, oncall.Taken)
		return err
	})
	d.backdate(t, 24*time.Hour)
	var pages oncall.Answer
	d.millrace.JSON(t, &pages, "pages")
	found := false
	for _, p := range pages.Pages {
		if p.Name == persistP1 {
			found = true
			if p.Level != 1 || p.Acked == nil || p.Acked.By != "ada" || p.Acked.Note != "on it" || p.Next != nil {
				t.Errorf("millrace pages: %+v", p)
			}
		}
	}
	if !found {
		t.Errorf("millrace pages does not have %s: %+v", persistP1, pages)
	}
}

// pageOf persist-p1 on a topic, of a kind, among those that have come.
func (d *deployment) pageOf(ctx context.Context, topic string, kind oncall.Kind) (*page, error) {
	if err := d.pager.read(ctx); err != nil {
		return nil, err
	}
	for i := range d.pager.pages {
		g := &d.pager.pages[i]
		if g.Topic == spec.ResourceName(d.Env, topic) && g.AlarmName == spec.ResourceName(d.Env, persistP1) && g.Millrace != nil && g.Millrace.Kind == kind {
			return g, nil
		}
	}
	return nil, fmt.Errorf("no page %s of %s on %s", kind, persistP1, topic)
}

// backdate the page: the function's own clock cannot be set.
func (d *deployment) backdate(t *testing.T, by time.Duration) {
	t.Helper()
	deployed.Await(t, "the open pages", 30*time.Second, func(ctx context.Context) error {
		state, version, err := d.openPages(ctx)
		if err != nil {
			return err
		}
		found := false
		for i := range state.Pages {
			if p := &state.Pages[i]; p.Alarm == spec.ResourceName(d.Env, persistP1) {
				p.Paged, found = p.Paged.Add(-by), true
			}
		}
		if !found {
			return errors.New("there is none of " + persistP1)
		}
		body, err := json.Marshal(state)
		if err != nil {
			return err
		}
		saved, err := d.openPagesObject().Save(ctx, body, version)
		if err == nil && !saved {
			err = errors.New("on-call was faster")
		}
		return err
	})
}

// openPages is what on-call remembers, and the version of it.
func (d *deployment) openPages(ctx context.Context) (state oncall.State, version string, err error) {
	body, version, err := d.openPagesObject().Load(ctx)
	if err == nil && body != nil {
		err = json.Unmarshal(body, &state)
	}
	return state, version, err
}

func (d *deployment) openPagesObject() *awsio.Object {
	return awsio.NewObject(d.AWS, d.ClaimsBucket(), spec.OpenPagesKey)
}
