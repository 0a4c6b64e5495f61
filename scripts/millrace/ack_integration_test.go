//go:build integration

package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/oncall"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// deployOnCall makes what `millrace ack` needs of a deployment: the ingest queue, by which
// a deployment is found, the bucket, and the function with its own zip.
func deployOnCall(t *testing.T, cfg aws.Config, name string) *awsio.Object {
	t.Helper()
	makeIngestQueue(t, cfg, name)
	buckets := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	bucket := spec.BucketName(name, spec.ClaimsBucket, "000000000000", cfg.Region)
	if _, err := buckets.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	atEnd(t, func(ctx context.Context) error {
		_, err1 := buckets.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String(spec.OpenPagesKey)})
		_, err2 := buckets.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket})
		return errors.Join(err1, err2)
	})
	vars := map[string]string{"MILLRACE_ENV": name, spec.ClaimsVar: bucket}
	for _, topic := range spec.PageTopics() {
		vars[spec.PageTopicVar(topic)] = "arn:aws:sns:us-east-1:000000000000:" + spec.ResourceName(name, topic)
	}
	makeFunction(t, lambda.NewFromConfig(cfg), spec.ResourceName(name, spec.OnCall), functionZip(t, spec.OnCall), vars)
	return awsio.NewObject(cfg, bucket, spec.OpenPagesKey)
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
