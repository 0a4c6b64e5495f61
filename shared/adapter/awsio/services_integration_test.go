//go:build integration

package awsio_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func newName() string { return "awsio-test-" + strings.ToLower(rand.Text()) }

// Browsing shows every message and leaves all of them visible.
func TestIntegrationBrowse(t *testing.T) {
	client := sqs.NewFromConfig(harness.AWS(t))
	b := &cleaner{Broker: &awsio.Broker{Client: client}, client: client}
	t.Cleanup(func() { b.clean(t) })
	name := newName()
	if err := b.Create(t.Context(), name, queue.Config{}); err != nil {
		t.Fatal(err)
	}
	q, err := b.Queue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	const n = 25
	msgs := make([]queue.Message, n)
	for i := range msgs {
		msgs[i] = queue.Message{Body: []byte("body"), Attributes: map[string]string{"count": "1"}}
	}
	if err := errors.Join(q.Send(t.Context(), msgs)...); err != nil {
		t.Fatal(err)
	}
	for pass := range 2 {
		seen := make(map[string]bool)
		for m, err := range b.Browse(t.Context(), name) {
			if err != nil {
				t.Fatal(err)
			}
			if m.Receipt != "" || m.Attributes["count"] != "1" {
				t.Errorf("%+v", m)
			}
			seen[m.ID] = true
		}
		if len(seen) != n {
			t.Errorf("pass %d: %d messages seen, want %d", pass, len(seen), n)
		}
	}
	for range b.Browse(t.Context(), name) { // left early: they are visible again too
		break
	}
	depths, err := b.Depths(t.Context(), name)
	if err != nil || depths[name].Visible != n {
		t.Errorf("%+v, %v: want all visible", depths, err)
	}
	for _, err := range b.Browse(t.Context(), "none") {
		if !errors.Is(err, queue.ErrNoQueue) {
			t.Errorf("no queue: %v", err)
		}
	}
}

func TestIntegrationClaims(t *testing.T) {
	cfg := harness.AWS(t)
	c := awsio.NewClaims(cfg, newName())
	if _, err := c.Client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &c.Bucket}); err != nil {
		t.Fatal(err)
	}
	body := []byte(strings.Repeat("x", 2<<20))
	ref, err := c.Put(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := c.Client.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &c.Bucket, Key: &ref})
		_, err2 := c.Client.DeleteBucket(context.Background(), &s3.DeleteBucketInput{Bucket: &c.Bucket})
		if err := errors.Join(err, err2); err != nil {
			t.Error(err)
		}
	})
	if got, err := c.Get(t.Context(), ref); err != nil || string(got) != string(body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := c.Get(t.Context(), ref+"x"); fault.ReasonOf(err) != fault.ClaimMissing {
		t.Errorf("a claim that is not there: %v", err)
	}
}

func TestIntegrationSecretRotates(t *testing.T) {
	client := secretsmanager.NewFromConfig(harness.AWS(t))
	name, now := newName(), time.Now()
	s := &awsio.Secret{Client: client, ID: name, Now: func() time.Time { return now }}
	if _, err := s.Text(t.Context()); err == nil || !strings.Contains(err.Error(), "millrace store connect") {
		t.Errorf("there is no secret: %v", err)
	}
	created, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := client.DeleteSecret(context.Background(), &secretsmanager.DeleteSecretInput{SecretId: created.ARN, ForceDeleteWithoutRecovery: aws.Bool(true)})
		if err != nil {
			t.Error(err)
		}
	})
	if _, err := s.Text(t.Context()); err == nil || !strings.Contains(err.Error(), "has no value yet") {
		t.Errorf("it has no value: %v", err)
	}
	s.ID = *created.ARN
	for _, text := range []string{"one", "two"} {
		if _, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: &text}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
		if got, err := s.Text(t.Context()); err != nil || got != text {
			t.Errorf("%q, %v; want %q", got, err, text)
		}
	}
}

func TestIntegrationMeter(t *testing.T) {
	client := cloudwatch.NewFromConfig(harness.AWS(t))
	m := &awsio.Meter{Client: client, Env: newName(), Now: time.Now}
	put := func(metric, stage string, at time.Time, values ...float64) {
		t.Helper()
		dims := []types.Dimension{
			{Name: aws.String(spec.DimensionService), Value: aws.String(spec.Service)},
			{Name: aws.String(spec.DimensionStage), Value: &stage},
			{Name: aws.String(spec.DimensionEnv), Value: &m.Env},
		}
		var data []types.MetricDatum
		for _, v := range values {
			data = append(data, types.MetricDatum{MetricName: &metric, Dimensions: dims, Timestamp: &at, Value: &v})
		}
		if _, err := client.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String(spec.Namespace), MetricData: data}); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	put(spec.EventThroughput, spec.Ingest, now.Add(-time.Minute), 3, 4)
	put(spec.EventThroughput, spec.Persist, now.Add(-time.Minute), 5)
	put(spec.EventThroughput, spec.Ingest, now.Add(-50*time.Hour), 100)
	put(spec.EventLatency, spec.Process, now, 1)
	put(spec.EventLatency, spec.Persist, now, 10, 20, 30)
	put(spec.ConsumerLag, spec.Ingest, now, 42)

	sum := func(stage string, since time.Time, want float64) {
		t.Helper()
		if v, err := m.Sum(t.Context(), spec.EventThroughput, stage, since); err != nil || v != want {
			t.Errorf("sum of %q since %v: %v, %v; want %v", stage, since, v, err, want)
		}
	}
	sum(spec.Ingest, now.Add(-5*time.Minute), 7)
	sum("", now.Add(-5*time.Minute), 12)
	sum(spec.Ingest, time.Time{}, 107)
	p, n, err := m.Percentiles(t.Context(), spec.EventLatency, now.Add(-5*time.Minute), 50, 99)
	if err != nil || n != 3 || len(p) != 2 || p[0] != 20 || p[1] < 29 || p[1] > 30 {
		t.Errorf("percentiles %v of %d, %v", p, n, err)
	}
	if p, n, err := m.Percentiles(t.Context(), spec.EventLatency, now.Add(time.Hour), 50); err == nil && (n != 0 || p != nil) {
		t.Errorf("percentiles of nothing: %v of %d", p, n)
	}
	if v, ok, err := m.Newest(t.Context(), spec.ConsumerLag, spec.Ingest); err != nil || !ok || v != 42 {
		t.Errorf("lag %v, %v, %v", v, ok, err)
	}
	if _, ok, err := m.Newest(t.Context(), spec.ConsumerLag, spec.Persist); err != nil || ok {
		t.Errorf("the lag of a stage that has none: %v, %v", ok, err)
	}
	if ages, err := m.Ages(t.Context(), "there-is-no-such-queue"); err != nil || len(ages) != 0 {
		t.Errorf("ages %v, %v", ages, err)
	}
}

// Create changes what a Config has, and nothing else: not the key that encrypts the queue.
func TestIntegrationCreateKeepsEncryption(t *testing.T) {
	client := sqs.NewFromConfig(harness.AWS(t))
	b := &cleaner{Broker: &awsio.Broker{Client: client, Prefix: "awsio-"}, client: client}
	t.Cleanup(func() { b.clean(t) })
	name := newName()
	const key = "alias/aws/sqs"
	out, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{
		QueueName: aws.String("awsio-" + name), Attributes: map[string]string{"KmsMasterKeyId": key},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Create(t.Context(), name, queue.Config{Visibility: time.Minute}); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: out.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
	if err != nil || got.Attributes["KmsMasterKeyId"] != key || got.Attributes["VisibilityTimeout"] != "60" {
		t.Errorf("%v, %v", got, err)
	}
}
