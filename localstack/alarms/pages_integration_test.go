//go:build integration

package alarms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/millrace-pipeline/millrace/localstack/harness/deployed"
	"github.com/millrace-pipeline/millrace/shared/oncall"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// page is what the queue of pages gets: made by on-call, or for on-call's own alarms by
// CloudWatch, without the member Millrace.
type page struct {
	Topic, Subject string

	AlarmName, NewStateValue, NewStateReason, AlarmDescription string

	Millrace *struct {
		Page        string
		Kind        oncall.Kind
		Environment string
		Stage       string
		Severity    string
		To, Next    string
		Faults      []fault
	}
}

// fault of a page: one alarm behind it.
type fault struct {
	Alarm, Name, Meaning, Command string
	Readings                      []oncall.Reading
}

// opens says that the page tells of something new.
func (p *page) opens() bool {
	return p.NewStateValue == oncall.InAlarm && (p.Millrace == nil || p.Millrace.Kind == oncall.Opened)
}

// pager is who carries it: it reads the queue of pages.
type pager struct {
	client *sqs.Client
	queue  string // URL
	pages  []page // in the order in which they came, since the last forget
}

func newPager(t *testing.T, p *deployed.Pipeline) *pager {
	client, name := sqs.NewFromConfig(p.AWS), spec.ResourceName(p.Env, spec.Pages)
	q, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		t.Fatalf("queue %s: %v", name, err)
	}
	return &pager{client: client, queue: *q.QueueUrl}
}

// read takes everything that is in the queue. It waits for a second, since 0 is the queue's
// own waiting time.
func (p *pager) read(ctx context.Context) error {
	for {
		out, err := p.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &p.queue, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil || len(out.Messages) == 0 {
			return err
		}
		for i := range out.Messages {
			if err := p.take(ctx, &out.Messages[i]); err != nil {
				return err
			}
		}
	}
}

func (p *pager) take(ctx context.Context, m *sqstypes.Message) error {
	var envelope struct{ TopicArn, Subject, Message string }
	var got page
	if err := json.Unmarshal([]byte(*m.Body), &envelope); err != nil {
		return fmt.Errorf("a page is no message of SNS: %w: %s", err, *m.Body)
	}
	if err := json.Unmarshal([]byte(envelope.Message), &got); err != nil {
		return fmt.Errorf("a page cannot be read: %w: %s", err, envelope.Message)
	}
	got.Topic, got.Subject = envelope.TopicArn[strings.LastIndexByte(envelope.TopicArn, ':')+1:], envelope.Subject
	p.pages = append(p.pages, got)
	_, err := p.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &p.queue, ReceiptHandle: m.ReceiptHandle})
	return err
}

// forget the pages read so far.
func (p *pager) forget() { p.pages = nil }

// opened counts the pages of each pager's alarm that tell of something new.
func (p *pager) opened() map[string]int {
	n := make(map[string]int)
	for i := range p.pages {
		if p.pages[i].opens() {
			n[p.pages[i].AlarmName]++
		}
	}
	return n
}

// open are the alarms that have paged and not ended.
func (p *pager) open() []string {
	ended := make(map[string]int)
	for i := range p.pages {
		switch x := &p.pages[i]; {
		case x.opens():
			ended[x.AlarmName]--
		case x.NewStateValue == oncall.OK && x.Topic == spec.ResourceName(x.env(), spec.PageTopic(x.severity())):
			ended[x.AlarmName]++
		}
	}
	var open []string
	for name, n := range ended {
		if n < 0 {
			open = append(open, name)
		}
	}
	return open
}

func (p *page) env() string {
	if p.Millrace != nil {
		return p.Millrace.Environment
	}
	env, _, _ := strings.Cut(strings.TrimPrefix(p.AlarmName, "millrace-"), "-"+spec.OnCall)
	return env
}

func (p *page) severity() string {
	if p.Millrace != nil {
		return p.Millrace.Severity
	}
	return strings.ToUpper(p.AlarmName[strings.LastIndexByte(p.AlarmName, '-')+1:])
}

// tells reports why the page, which must be the first one of its fault, does not tell of
// the target what it must; errAbsent where it does not name it at all.
func (p *page) tells(env string, x target) error {
	if want := spec.ResourceName(env, spec.PageTopic(x.alarm.Severity)); p.Topic != want {
		return fmt.Errorf("it is on the topic %s, not %s", p.Topic, want)
	}
	if p.Millrace == nil {
		return p.tellsItself(env, x)
	}
	if p.Millrace.To != spec.Primary {
		return fmt.Errorf("it is to %s", p.Millrace.To)
	}
	begin := fmt.Sprintf("ALARM: %s %s-%s (%s): ", x.alarm.Severity, x.stage, strings.ToLower(x.alarm.Severity), env)
	if !strings.HasPrefix(p.Subject, begin) {
		return fmt.Errorf("its subject is %q", p.Subject)
	}
	return p.tellsOf(env, x)
}

// tellsOf is the part of tells that does not depend on whom the page is to.
func (p *page) tellsOf(env string, x target) error {
	if m := p.Millrace; m.Environment != env || m.Stage != x.stage || m.Severity != x.alarm.Severity {
		return fmt.Errorf("it says environment %s, stage %s, severity %s", m.Environment, m.Stage, m.Severity)
	}
	for i := range p.Millrace.Faults {
		if f := &p.Millrace.Faults[i]; f.Alarm == spec.AlarmName(env, x.stage, x.alarm.Name) {
			return f.tells(env, x.stage, x.alarm)
		}
	}
	return errAbsent
}

var errAbsent = errors.New("the alarm is not in the page")

// tellsItself checks a page of on-call's own alarms, which CloudWatch has written: its
// reason names the alarm, its description each that can be meant, with its command.
func (p *page) tellsItself(env string, x target) error {
	if !strings.Contains(p.NewStateReason, spec.AlarmName(env, x.stage, x.alarm.Name)+" ") {
		return errAbsent
	}
	for _, want := range []string{x.alarm.Severity + " ", x.alarm.Name + ": " + x.alarm.Command, "Runbook: docs/ALARMS.md", "Respond within"} {
		if !strings.Contains(p.AlarmDescription, want) {
			return fmt.Errorf("its description lacks %q: %s", want, p.AlarmDescription)
		}
	}
	return nil
}

func (f *fault) tells(env, stage string, a spec.Alarm) error {
	if want := a.Command + " --target localstack --env " + env; f.Name != a.Name || f.Meaning != a.Meaning || f.Command != want {
		return fmt.Errorf("it says %s: %q, run %q", f.Name, f.Meaning, f.Command)
	}
	if len(f.Readings) != len(a.When) {
		return fmt.Errorf("%d readings of %d conditions", len(f.Readings), len(a.When))
	}
	readings := make(map[string]oncall.Reading)
	for _, r := range f.Readings {
		readings[r.Alarm] = r
	}
	for _, c := range a.When {
		r, ok := readings[spec.ConditionName(env, stage, a.Name, c.Name)]
		limit := c.Limit(c.Scope(stage, values, shorten))
		switch {
		case !ok:
			return fmt.Errorf("no reading of the condition %q", c.Name)
		case r.Threshold == nil || *r.Threshold != limit || r.Comparison != string(c.Compare):
			return fmt.Errorf("condition %q: threshold %v %s, want %v %s", c.Name, r.Threshold, r.Comparison, limit, c.Compare)
		case r.Value == nil && c.Missing != spec.MissingBreaches:
			return fmt.Errorf("condition %q: no value", c.Name)
		case r.Value != nil && !c.Compare.Breaches(*r.Value, limit):
			return fmt.Errorf("condition %q: %v is no breach of %s %v", c.Name, *r.Value, c.Compare, limit)
		}
	}
	return nil
}
