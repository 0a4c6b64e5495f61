package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/alarm"
	"github.com/millrace-pipeline/millrace/shared/oncall"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

const (
	// drillWait is how long each step of a drill may take. CloudWatch evaluates a composite
	// alarm within seconds of its children; SNS and Lambda may have to try again.
	drillWait = 2 * time.Minute
	// drillPoll is the pause between two looks at CloudWatch: DescribeAlarms has a quota of
	// 9 calls a second for the whole account.
	drillPoll = time.Second
)

// drill is a test of an alarm of a deployed pipeline.
type drill struct {
	env    env
	g      *globalOptions
	f      *found
	watch  *cloudwatch.Client
	alarm  spec.Alarm
	stage  string
	pager  string // name of the composite alarm that pages
	begun  time.Time
	result drillDeployedJSON
}

// drillDeployedJSON is what --json writes for a deployed pipeline.
type drillDeployedJSON struct {
	Executed bool        `json:"executed"`
	Alarm    string      `json:"alarm"`
	Stage    string      `json:"stage"`
	Pager    string      `json:"pager"`
	Steps    []drillStep `json:"steps"`
	Subject  string      `json:"subject,omitempty"` // of the page
}

// drillStep is something that has happened.
type drillStep struct {
	After float64 `json:"after_seconds"`
	What  string  `json:"what"`
}

func drillDeployed(ctx context.Context, e env, g *globalOptions, t *deployedTarget, a spec.Alarm, stage string, execute bool) error {
	f, err := t.find(ctx)
	if err != nil {
		return err
	}
	d := &drill{
		env: e, g: g, f: f, watch: cloudwatch.NewFromConfig(f.cfg), alarm: a, stage: stage,
		pager: spec.PagerName(f.Env, stage, a.Severity),
	}
	d.result = drillDeployedJSON{Executed: execute || f.Target == targetLocalStack, Alarm: a.Name, Stage: stage, Pager: d.pager, Steps: []drillStep{}}
	if err := d.check(ctx); err != nil {
		return err
	}
	if err := d.pages(ctx, t); err != nil {
		return err
	}
	s, _ := spec.SeverityByName(a.Severity)
	d.say("people are paged: %s, the %s for %s, by the topic %s", d.name(), s.Chain[0], s.Name, spec.ResourceName(f.Env, spec.PageTopic(s.Name)))
	if !d.result.Executed {
		d.say("\nNothing was done yet: tell them, and add --execute to do it.")
	} else if err := d.run(ctx); err != nil {
		return err
	}
	if g.json {
		return writeJSON(e.stdout, d.result)
	}
	return nil
}

// name of the alarm in CloudWatch.
func (d *drill) name() string { return spec.AlarmName(d.f.Env, d.stage, d.alarm.Name) }

func (d *drill) say(format string, args ...any) {
	if !d.g.json {
		fmt.Fprintf(d.env.stdout, format+"\n", args...)
	}
}

// step has happened.
func (d *drill) step(format string, args ...any) {
	s := drillStep{d.env.now().Sub(d.begun).Seconds(), fmt.Sprintf(format, args...)}
	d.result.Steps = append(d.result.Steps, s)
	d.say("%6.1f s  %s", s.After, s.What)
}

// states of alarms by their names; one that does not exist is missing.
func (d *drill) states(ctx context.Context, names ...string) (map[string]alarm.State, error) {
	all, err := (&awsio.Alarms{Client: d.watch}).Describe(ctx, names)
	states := make(map[string]alarm.State, len(all))
	for i := range all {
		states[all[i].Name] = alarm.State(all[i].State)
	}
	return states, err
}

// check refuses a drill that cannot show anything: of an alarm that is not there, and
// while a real fault is.
func (d *drill) check(ctx context.Context) error {
	states, err := d.states(ctx, d.name(), d.pager)
	if err != nil {
		return err
	}
	for _, name := range []string{d.name(), d.pager} {
		switch state, ok := states[name]; {
		case !ok && d.alarm.Needs != spec.NeedsNothing:
			return fmt.Errorf("CloudWatch has no alarm %s in %s: it is only there with %s; else deploy again", name, d.f.Region, d.alarm.Needs)
		case !ok:
			return fmt.Errorf("CloudWatch has no alarm %s in %s: deploy again with a version that has it", name, d.f.Region)
		case state == alarm.InAlarm:
			return fmt.Errorf("%s is in ALARM by itself: that is no time for a test. `millrace alarms list` says what is wrong", name)
		}
	}
	return nil
}

// pages refuses a drill whose page would not go out: on-call holds those of a deployment
// that has not been whole yet. CloudWatch itself publishes those of on-call's own alarms.
func (d *drill) pages(ctx context.Context, p pager) error {
	if d.topic() != spec.AlarmsTopic {
		return nil
	}
	a, err := p.askOnCall(ctx, oncall.Request{Pages: true})
	switch {
	case err != nil:
		return fmt.Errorf("on-call does not say whether it lets pages out: %w", err)
	case a.Refused != "":
		return fmt.Errorf("on-call does not say whether it lets pages out: %s", a.Refused)
	case a.PagesFrom != nil:
		return fmt.Errorf("nobody would be paged, and nothing was done: %s. `millrace alarms list` says which alarms are not OK, `millrace pages` which pages are held", oncall.NotWhole(*a.PagesFrom))
	}
	for _, page := range a.Pages {
		if page.Alarm == d.pager {
			return fmt.Errorf("the page %s is open already, so no other would go out: that is no time for a test. `millrace pages` says what it is about", page.Name)
		}
	}
	return nil
}

// topic that the pager's alarm publishes to.
func (d *drill) topic() string {
	return spec.Pager{Stage: d.stage, Severity: d.alarm.Severity}.Topic()
}

// run makes the alarm fire and clear. Whatever happens in between, the alarm is set back:
// CloudWatch itself does so only with the alarm's next evaluation.
func (d *drill) run(ctx context.Context) (err error) {
	inbox, err := openInbox(ctx, d.f.broker)
	if err != nil {
		return err
	}
	d.begun = d.env.now()
	defer func() {
		if err != nil {
			err = errors.Join(err, d.set(context.WithoutCancel(ctx), types.StateValueOk))
		}
	}()
	if err := d.set(ctx, types.StateValueAlarm); err != nil {
		return err
	}
	d.step("%s is set to ALARM", d.name())
	if err := d.follow(ctx, alarm.InAlarm); err != nil {
		return err
	}
	if d.result.Subject, err = d.page(ctx, inbox, alarm.InAlarm); err != nil {
		return err
	}
	if err := d.set(ctx, types.StateValueOk); err != nil {
		return err
	}
	d.step("%s is set back to OK", d.name())
	if err := d.follow(ctx, alarm.OK); err != nil {
		return err
	}
	_, err = d.page(ctx, inbox, alarm.OK)
	return err
}

// set the state of the metric alarms behind the alarm: composite alarms follow them.
func (d *drill) set(ctx context.Context, state types.StateValue) error {
	for _, c := range d.alarm.When {
		name := spec.ConditionName(d.f.Env, d.stage, d.alarm.Name, c.Name)
		if _, err := d.watch.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{
			AlarmName: &name, StateValue: state, StateReason: aws.String("millrace alarms test"),
		}); err != nil {
			return fmt.Errorf("set %s to %s: %w", name, state, err)
		}
	}
	return nil
}

// follow waits until the composite alarm is in the state. CloudWatch evaluates the metric
// alarms all the while and may set them back: then they are set once more.
func (d *drill) follow(ctx context.Context, want alarm.State) error {
	err := d.until(ctx, func() (bool, error) {
		states, err := d.states(ctx, d.name(), d.pager)
		if err != nil || states[d.pager] == want {
			return err == nil, err
		}
		if states[d.name()] != want {
			return false, d.set(ctx, types.StateValue(want))
		}
		return false, nil
	})
	if errors.Is(err, errDrillWait) {
		why := "look at its rule, and deploy again"
		if d.alarm.Mute == spec.MuteInDeploy {
			why = fmt.Sprintf("a deployment mutes it while it runs and for %s after it; if there is none, %s", spec.FormatAge(spec.MuteAfter), why)
		}
		return fmt.Errorf("%s does not become %s within %s, although %s is: %s", d.pager, want, drillWait, d.name(), why)
	}
	if err == nil {
		d.step("%s is %s", d.pager, want)
	}
	return err
}

// page waits for the page of the composite alarm with the state.
func (d *drill) page(ctx context.Context, inbox *inbox, want alarm.State) (subject string, err error) {
	err = d.until(ctx, func() (found bool, err error) {
		subject, found, err = inbox.find(ctx, d.pager, string(want))
		return found, err
	})
	if errors.Is(err, errDrillWait) {
		return "", fmt.Errorf("%s is %s, and no page of it has come into the queue %s within %s: %s",
			d.pager, want, spec.ResourceName(d.f.Env, spec.Pages), drillWait, d.whereItIs())
	}
	if err == nil {
		d.step("page: %s", subject)
	}
	return subject, err
}

// whereItIs says where a page can have got stuck.
func (d *drill) whereItIs() string {
	topic := d.topic()
	where := fmt.Sprintf("its actions may be off; the topic %s may have lost its subscription", spec.ResourceName(d.f.Env, topic))
	if topic == spec.AlarmsTopic {
		function := spec.ResourceName(d.f.Env, spec.OnCall)
		where += fmt.Sprintf("; or the function %s fails (its log is /aws/lambda/%[1]s, what it could not handle in the queue %[1]s-dlq)", function)
	}
	return where
}

// errDrillWait: a step has not happened within drillWait.
var errDrillWait = errors.New("not within the time")

// until polls until done says so.
func (d *drill) until(ctx context.Context, done func() (bool, error)) error {
	timeout := time.NewTimer(drillWait)
	defer timeout.Stop()
	ticker := time.NewTicker(drillPoll)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return errDrillWait
		case <-ticker.C:
		}
	}
}
