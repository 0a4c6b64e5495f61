//go:build integration

package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/oncall"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// deployOnCall makes what `millrace ack` needs of a deployment: the ingest queue, by which
// a deployment is found, the bucket, and the function with its own zip.
func deployOnCall(t *testing.T, cfg aws.Config, name string) *awsio.Object {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	queues := sqs.NewFromConfig(cfg)
	q, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(spec.ResourceName(name, spec.Ingest))})
	must(err)
	buckets := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	bucket := spec.BucketName(name, spec.ClaimsBucket, "000000000000", cfg.Region)
	_, err = buckets.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket})
	must(err)
	functions, function := lambda.NewFromConfig(cfg), spec.ResourceName(name, spec.OnCall)
	t.Cleanup(func() {
		_, err1 := queues.DeleteQueue(context.Background(), &sqs.DeleteQueueInput{QueueUrl: q.QueueUrl})
		_, err2 := functions.DeleteFunction(context.Background(), &lambda.DeleteFunctionInput{FunctionName: &function})
		_, err3 := buckets.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String(spec.OpenPagesKey)})
		_, err4 := buckets.DeleteBucket(context.Background(), &s3.DeleteBucketInput{Bucket: &bucket})
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Log(err)
		}
	})
	vars := map[string]string{"MILLRACE_ENV": name, spec.ClaimsVar: bucket}
	for _, topic := range spec.PageTopics() {
		vars[spec.PageTopicVar(topic)] = "arn:aws:sns:us-east-1:000000000000:" + spec.ResourceName(name, topic)
	}
	_, err = functions.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &function, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Role: aws.String("arn:aws:iam::000000000000:role/any"),
		Code: &types.FunctionCode{ZipFile: functionZip(t, spec.OnCall)}, Environment: &types.Environment{Variables: vars}, Publish: true, Timeout: aws.Int32(30),
	})
	must(err)
	must(lambda.NewPublishedVersionActiveWaiter(functions).Wait(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &function, Qualifier: aws.String("1")}, time.Minute))
	_, err = functions.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: &function, Name: aws.String(spec.Alias), FunctionVersion: aws.String("1")})
	must(err)
	return awsio.NewObject(cfg, bucket, spec.OpenPagesKey)
}

// functionZip builds a function, by its name in package spec.
func functionZip(t *testing.T, name string) []byte {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "run", "./scripts/functions", "-out", dir, "-arch", runtime.GOARCH, name)
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	zip, err := os.ReadFile(filepath.Join(dir, runtime.GOARCH, name+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	return zip
}

// What a person types at a deployed pipeline, and reads.
func TestIntegrationAck(t *testing.T) {
	cfg := localStack(t)
	name := "ack" + uuid.NewString()[:6]
	g := globalOptions{target: targetLocalStack, env: name}
	open := deployOnCall(t, cfg, name)
	if code, stdout, stderr := onCall(t, newPages, g); code != exitOK || !strings.HasPrefix(stdout, "no page is open\nthis deployment has not been whole yet; it pages from ") {
		t.Fatalf("%d %q %q", code, stdout, stderr)
	}

	alarm, now := spec.PagerName(name, spec.Persist, spec.P1), time.Now().Add(-2*time.Minute)
	body, err := json.Marshal(oncall.State{Pages: []oncall.Page{{
		ID: oncall.PageID(alarm, now), Alarm: alarm, Severity: spec.P1, Opened: now, Paged: now,
		Faults: []oncall.Fault{{Alarm: spec.AlarmName(name, spec.Persist, "error-rate-critical")}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if saved, err := open.Save(t.Context(), body, ""); !saved || err != nil {
		t.Fatal(saved, err)
	}

	code, stdout, stderr := onCall(t, newPages, g)
	if code != exitOK || !strings.Contains(stdout, "persist-p1") || !strings.Contains(stdout, "nobody; secondary on-call in 1") || !strings.Contains(stdout, "persist-error-rate-critical") {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	if code, _, stderr := onCall(t, newAck, g, "persist-p2"); code != exitNotFound || !strings.Contains(stderr, `no page "persist-p2" is open; these are: persist-p1`) {
		t.Errorf("%d %q", code, stderr)
	}
	if code, stdout, stderr := onCall(t, newAck, g, "persist-p1", "--note", "on it"); code != exitOK || !strings.HasPrefix(stdout, "persist-p1 is yours: P1, open for 2m") {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	if code, stdout, stderr := onCall(t, newAck, g, alarm, "--by", "bob"); code != exitOK || !strings.HasPrefix(stdout, "persist-p1 is acknowledged already: by ada, ") {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	g.json = true
	var pages oncall.Answer
	code, stdout, stderr = onCall(t, newPages, g)
	if err := json.Unmarshal([]byte(stdout), &pages); err != nil || code != exitOK || len(pages.Pages) != 1 || *pages.Pages[0].Acked == (oncall.Ack{}) || pages.Pages[0].Acked.Note != "on it" {
		t.Errorf("%d %q %q %v", code, stdout, stderr, err)
	}
}
