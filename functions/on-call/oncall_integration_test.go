//go:build integration

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/localstack/host"
	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/oncall"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func TestMain(m *testing.M) { harness.Main(m) }

// stack is what infrastructure makes for on-call, under an environment of its own.
type stack struct {
	t      *testing.T
	env    string
	cw     *cloudwatch.Client
	sns    *sns.Client
	sqs    *sqs.Client
	lambda *lambda.Client
	open   *awsio.Object
	pages  string            // URL of the queue with a copy of every page
	arns   map[string]string // topics by Millrace's name
}

func (s *stack) name(n string) string { return spec.ResourceName(s.env, n) }

func deploy(t *testing.T) *stack {
	cfg := harness.AWS(t)
	s := &stack{
		t: t, env: "oc" + uuid.NewString()[:6], cw: cloudwatch.NewFromConfig(cfg), sns: sns.NewFromConfig(cfg), sqs: sqs.NewFromConfig(cfg),
		lambda: lambda.NewFromConfig(cfg), arns: map[string]string{},
	}
	bucket := spec.BucketName(s.env, spec.ClaimsBucket, "000000000000", cfg.Region)
	s.bucket(s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), bucket)
	s.open = awsio.NewObject(cfg, bucket, spec.OpenPagesKey)
	q, err := s.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(s.name(spec.Pages))})
	s.must(err)
	s.pages = *q.QueueUrl
	s.cleanup(func(ctx context.Context) error {
		_, err := s.sqs.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &s.pages})
		return err
	})
	for _, topic := range append(spec.PageTopics(), spec.AlarmsTopic) {
		s.topic(topic)
	}
	s.function(bucket)
	s.alarms()
	return s
}

func (s *stack) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stack) cleanup(f func(context.Context) error) {
	s.t.Cleanup(func() {
		if err := f(context.Background()); err != nil {
			s.t.Log(err)
		}
	})
}

func (s *stack) bucket(client *s3.Client, name string) {
	_, err := client.CreateBucket(s.t.Context(), &s3.CreateBucketInput{Bucket: &name})
	s.must(err)
	s.cleanup(func(ctx context.Context) error {
		_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &name, Key: aws.String(spec.OpenPagesKey)})
		if err == nil {
			_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name})
		}
		return err
	})
}

// topic makes a topic; those of pages have the queue as a subscriber.
func (s *stack) topic(name string) {
	out, err := s.sns.CreateTopic(s.t.Context(), &sns.CreateTopicInput{Name: aws.String(s.name(name))})
	s.must(err)
	s.arns[name] = *out.TopicArn
	s.cleanup(func(ctx context.Context) error {
		_, err := s.sns.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: out.TopicArn})
		return err
	})
	if name != spec.AlarmsTopic {
		s.subscribe(name, "sqs", "arn:aws:sqs:us-east-1:000000000000:"+s.name(spec.Pages))
	}
}

func (s *stack) subscribe(topic, protocol, endpoint string) {
	_, err := s.sns.Subscribe(s.t.Context(), &sns.SubscribeInput{TopicArn: aws.String(s.arns[topic]), Protocol: &protocol, Endpoint: &endpoint})
	s.must(err)
}

// function builds the zip as a deployment does and subscribes the function to the alarms.
func (s *stack) function(bucket string) {
	dir := s.t.TempDir()
	build := exec.Command("go", "run", "./scripts/functions", "-out", dir, "-arch", runtime.GOARCH, spec.OnCall)
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	zip, err := os.ReadFile(filepath.Join(dir, runtime.GOARCH, spec.OnCall+".zip"))
	s.must(err)
	vars := map[string]string{"MILLRACE_ENV": s.env, spec.ClaimsVar: bucket}
	for _, topic := range spec.PageTopics() {
		vars[spec.PageTopicVar(topic)] = s.arns[topic]
	}
	for _, name := range spec.FunctionVars(spec.OnCall) {
		if vars[name] == "" {
			s.t.Fatalf("spec.FunctionVars has %s, which nobody sets", name)
		}
	}
	name := s.name(spec.OnCall)
	_, err = s.lambda.CreateFunction(s.t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Role: aws.String("arn:aws:iam::000000000000:role/any"),
		Code: &types.FunctionCode{ZipFile: zip}, Environment: &types.Environment{Variables: vars}, Publish: true,
		Timeout: aws.Int32(int32(spec.OnCallTimeout / time.Second)), MemorySize: aws.Int32(spec.OnCallMemory),
	})
	s.must(err)
	s.cleanup(func(ctx context.Context) error {
		_, err := s.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name})
		return err
	})
	s.must(lambda.NewPublishedVersionActiveWaiter(s.lambda).Wait(s.t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &name, Qualifier: aws.String("1")}, time.Minute))
	alias, err := s.lambda.CreateAlias(s.t.Context(), &lambda.CreateAliasInput{FunctionName: &name, Name: aws.String(spec.Alias), FunctionVersion: aws.String("1")})
	s.must(err)
	_, err = s.lambda.AddPermission(s.t.Context(), &lambda.AddPermissionInput{
		FunctionName: &name, Qualifier: aws.String(spec.Alias), StatementId: aws.String("alarms"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("sns.amazonaws.com"), SourceArn: aws.String(s.arns[spec.AlarmsTopic]),
	})
	s.must(err)
	s.subscribe(spec.AlarmsTopic, "lambda", *alias.AliasArn)
}

// alarms are one alarm of the table and the composite that pages for it.
func (s *stack) alarms() {
	s.metricAlarm(s.child())
	s.composite(spec.PagerName(s.env, spec.Persist, spec.P1), s.child(), s.arns[spec.AlarmsTopic])
}

// metricAlarm that is OK until it is set.
func (s *stack) metricAlarm(name string) {
	_, err := s.cw.PutMetricAlarm(s.t.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, Namespace: aws.String(spec.Namespace), MetricName: aws.String("NobodyEmitsIt"), Statistic: cwtypes.StatisticSum, Period: aws.Int32(60),
		EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(50), ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold, TreatMissingData: aws.String("ignore"),
	})
	s.must(err)
	s.deleteAlarm(name)
	s.setAlarm(name, cwtypes.StateValueOk, `{}`)
}

// composite alarm, whose changes the topics are told.
func (s *stack) composite(name, child string, topics ...string) {
	_, err := s.cw.PutCompositeAlarm(s.t.Context(), &cloudwatch.PutCompositeAlarmInput{
		AlarmName: &name, AlarmRule: aws.String(`ALARM("` + child + `")`), AlarmActions: topics, OKActions: topics,
	})
	s.must(err)
	s.deleteAlarm(name)
}

func (s *stack) deleteAlarm(name string) {
	s.cleanup(func(ctx context.Context) error {
		_, err := s.cw.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{name}})
		return err
	})
}

func (s *stack) child() string { return spec.AlarmName(s.env, spec.Persist, "error-rate-critical") }

func (s *stack) set(state cwtypes.StateValue, data string) {
	s.t.Helper()
	s.setAlarm(s.child(), state, data)
}

func (s *stack) setAlarm(name string, state cwtypes.StateValue, data string) {
	s.t.Helper()
	_, err := s.cw.SetAlarmState(s.t.Context(), &cloudwatch.SetAlarmStateInput{
		AlarmName: &name, StateValue: state, StateReason: aws.String("test"), StateReasonData: &data,
	})
	s.must(err)
}

// page is what the queue gets of one.
type page struct {
	TopicArn, Subject string
	message           struct {
		AlarmName, NewStateValue string
		Millrace                 struct {
			Page, Kind, Input string
			Faults            []struct {
				Name, Command string
				Readings      []oncall.Reading
			}
		}
	}
}

// next waits for the next page; none may come on another topic or with another subject.
func (s *stack) next(topic, subject string) page {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		out, err := s.sqs.ReceiveMessage(s.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &s.pages, MaxNumberOfMessages: 1, WaitTimeSeconds: 5})
		s.must(err)
		if len(out.Messages) == 0 {
			if time.Now().After(deadline) {
				s.t.Fatalf("no page on %s", topic)
			}
			continue
		}
		var p page
		var envelope struct{ TopicArn, Subject, Message string }
		s.must(json.Unmarshal([]byte(*out.Messages[0].Body), &envelope))
		p.TopicArn, p.Subject = envelope.TopicArn, envelope.Subject
		s.must(json.Unmarshal([]byte(envelope.Message), &p.message))
		_, err = s.sqs.DeleteMessage(s.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &s.pages, ReceiptHandle: out.Messages[0].ReceiptHandle})
		s.must(err)
		if p.TopicArn != s.arns[topic] || !strings.HasPrefix(p.Subject, subject) {
			s.t.Fatalf("%+v, want %s… on %s", p, subject, topic)
		}
		return p
	}
}

func (s *stack) invoke(payload string) oncall.Answer {
	s.t.Helper()
	f := awsio.Function{Client: s.lambda, Name: s.name(spec.OnCall), Alias: spec.Alias}
	out, err := f.Invoke(s.t.Context(), []byte(payload))
	s.must(err)
	var a oncall.Answer
	if len(out) > 0 {
		s.must(json.Unmarshal(out, &a))
	}
	return a
}

const scheduled = `{"version":"0","detail-type":"Scheduled Event","source":"aws.events","detail":{}}`

// pretend that the page has been open for longer: the function's own clock cannot be set.
func (s *stack) pretend(longer time.Duration) {
	body, version, err := s.open.Load(s.t.Context())
	s.must(err)
	var state oncall.State
	s.must(json.Unmarshal(body, &state))
	for i := range state.Pages {
		state.Pages[i].Paged = state.Pages[i].Paged.Add(-longer)
	}
	body, err = json.Marshal(state)
	s.must(err)
	if saved, err := s.open.Save(s.t.Context(), body, version); err != nil || !saved {
		s.t.Fatal(saved, err)
	}
}

// until invokes on-call with a payload, and then asks for the pages, until they are right.
func (s *stack) until(what, payload string, right func(oncall.Answer) bool) (a oncall.Answer) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	err := host.Poll(ctx, 500*time.Millisecond, func(context.Context) error {
		s.invoke(payload)
		if a = s.invoke(asks); !right(a) {
			return fmt.Errorf("not %s: %+v", what, a)
		}
		return nil
	})
	s.must(err)
	return a
}

const asks = `{"pages":true}`

// arm makes the rest of the deployment: its last pager, which is on-call's own.
func (s *stack) arm() {
	silent := spec.AlarmName(s.env, spec.OnCall, "on-call-silent")
	s.metricAlarm(silent)
	s.composite(spec.PagerName(s.env, spec.OnCall, spec.P1), silent)
	s.until("armed", scheduled, func(a oncall.Answer) bool { return a.PagesFrom == nil })
}

// held: before the deployment was whole, an alarm is a page that nobody is told of, and is
// gone with the alarm. It returns the page's id.
func (s *stack) held() string {
	s.set(cwtypes.StateValueAlarm, `{}`)
	a := s.until("held", scheduled, func(a oncall.Answer) bool { return len(a.Pages) == 1 })
	if p := a.Pages[0]; !p.Held || !strings.HasPrefix(p.Why, "this deployment has not been whole yet; it pages from ") || a.PagesFrom == nil {
		s.t.Errorf("%+v", a)
	}
	s.set(cwtypes.StateValueOk, `{}`)
	s.until("gone", asks, func(a oncall.Answer) bool { return len(a.Pages) == 0 })
	return a.Pages[0].ID
}

// A real alarm of a real CloudWatch API pages, once the deployment was whole, through real topics, escalates, is
// acknowledged and ends, with the function's own zip.
func TestIntegrationPage(t *testing.T) {
	s := deploy(t)
	held := s.held()
	s.arm()
	s.set(cwtypes.StateValueAlarm, `{"version":"1.0","recentDatapoints":[12,62.5],"threshold":50}`)
	p := s.next("page-p1", "ALARM: P1 persist-p1 ("+s.env+"): error-rate-critical")
	m := p.message
	if m.AlarmName != spec.PagerName(s.env, spec.Persist, spec.P1) || m.NewStateValue != oncall.InAlarm || len(m.Millrace.Faults) != 1 || m.Millrace.Page == held {
		t.Fatalf("%+v", m)
	}
	f := m.Millrace.Faults[0]
	if f.Name != "error-rate-critical" || f.Command != "millrace dlq list --target localstack --env "+s.env || len(f.Readings) != 1 || *f.Readings[0].Value != 62.5 || *f.Readings[0].Threshold != 50 {
		t.Errorf("%+v", f)
	}

	s.pretend(15 * time.Minute)
	s.invoke(scheduled)
	s.next("page-secondary", "ALARM: P1 persist-p1 UNANSWERED")
	if a := s.invoke(`{"ack":{"page":"persist-p1","by":"ada"}}`); len(a.Pages) != 1 || a.Pages[0].ID != m.Millrace.Page || a.Pages[0].Acked == nil {
		t.Fatalf("%+v", a)
	}
	s.next("page-secondary", "ALARM: P1 persist-p1 acknowledged by ada")
	s.pretend(time.Hour)
	s.invoke(scheduled)
	if a := s.invoke(asks); len(a.Pages) != 1 || a.Pages[0].Level != 1 {
		t.Errorf("%+v", a)
	}

	_, err := s.sns.Publish(t.Context(), &sns.PublishInput{TopicArn: aws.String(s.arns[spec.AlarmsTopic]), Message: aws.String("what is this?")})
	s.must(err)
	if p := s.next("page-p1", "ALARM: P1 on-call-unreadable"); p.message.Millrace.Input != "what is this?" {
		t.Errorf("%+v", p)
	}

	s.set(cwtypes.StateValueOk, `{}`)
	p = s.next("page-p1", "OK: P1 persist-p1 is over after ")
	if p.message.NewStateValue != oncall.OK || p.message.Millrace.Page != m.Millrace.Page {
		t.Errorf("%+v", p)
	}
	s.next("page-secondary", "OK: P1 persist-p1 is over after ")
	if a := s.invoke(asks); len(a.Pages) != 0 {
		t.Errorf("%+v", a)
	}
}
