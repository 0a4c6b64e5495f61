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

	"github.com/millrace-pipeline/millrace/localstack/host"
	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/oncall"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// outage: MongoDB and Kafka are down. Nobody answers the page of persist, so it goes to the
// secondary; he acknowledges it, and it goes to nobody else.
func (d *deployment) outage(t *testing.T) {
	if err := errors.Join(d.Mongo.Stop(t.Context()), d.Kafka.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	down := the(t, spec.Persist, "store-unreachable")
	d.fires(t, 90*time.Second, append(the(t, spec.Ingest, "kafka-unreachable"), down...)...)
	d.unanswered(t, down)
	d.acknowledged(t)
	if err := errors.Join(d.Kafka.Start(t.Context()), d.Mongo.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	d.ends(t, nil)
}

// page of the persist stage and P1, in on-call and for `millrace ack`.
const persistP1 = "persist-p1"

// unanswered makes the response time of the open page pass: it escalates, and the
// secondary reads of all alarms that are behind it by now.
func (d *deployment) unanswered(t *testing.T, behind []target) {
	t.Helper()
	d.backdate(t, 15*time.Minute)
	d.await(t, "the page of the secondary", 30*time.Second, func(ctx context.Context) error {
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
	if out := d.cli(t, "ack", persistP1, "--by", "ada", "--note", "on it"); !strings.HasPrefix(out, persistP1+" is yours: P1, open for ") {
		t.Errorf("millrace ack: %s", out)
	}
	d.await(t, "the end of the escalation", 30*time.Second, func(ctx context.Context) error {
		_, err := d.pageOf(ctx, spec.SecondaryTopic, oncall.Taken)
		return err
	})
	d.backdate(t, 24*time.Hour)
	var pages oncall.Answer
	if err := json.Unmarshal([]byte(d.cli(t, "pages", "--json")), &pages); err != nil {
		t.Fatal(err)
	}
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
	open := awsio.NewObject(d.AWS, spec.BucketName(d.Env, spec.ClaimsBucket, account, host.LocalStackRegion), spec.OpenPagesKey)
	d.await(t, "the open pages", 30*time.Second, func(ctx context.Context) error {
		body, version, err := open.Load(ctx)
		if err != nil {
			return err
		}
		var state oncall.State
		if err := json.Unmarshal(body, &state); err != nil {
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
		if body, err = json.Marshal(state); err != nil {
			return err
		}
		saved, err := open.Save(ctx, body, version)
		if err == nil && !saved {
			err = errors.New("on-call was faster")
		}
		return err
	})
}

// account of every resource of a LocalStack.
const account = "000000000000"
