//go:build integration

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// awsQueues are the queues of a pipeline on LocalStack, for the time of a test.
func awsQueues(t *testing.T, cfg aws.Config, name string) *awsio.Broker {
	t.Helper()
	client := sqs.NewFromConfig(cfg)
	b := &awsio.Broker{Client: client, Prefix: spec.ResourceName(name, ""), MinWait: time.Second}
	for _, q := range append(ops.QueueNames(), ops.FurtherQueues()...) {
		if err := b.Create(t.Context(), q, queue.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		var errs []error
		for _, name := range append(ops.QueueNames(), ops.FurtherQueues()...) {
			q, err := b.Queue(context.Background(), name)
			if err == nil {
				_, err = client.DeleteQueue(context.Background(), &sqs.DeleteQueueInput{QueueUrl: &q.(*awsio.Queue).URL})
			}
			errs = append(errs, err)
		}
		if err := errors.Join(errs...); err != nil {
			t.Log(err)
		}
	})
	return b
}

// refusingTopic is a topic whose subscription, as infra makes it, leads to a queue that is
// not there: SNS puts everything into process-undelivered.
func refusingTopic(t *testing.T, cfg aws.Config, name string) *awsio.Topic {
	t.Helper()
	client := sns.NewFromConfig(cfg)
	topic, err := client.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String(spec.ResourceName(name, spec.Process))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteTopic(context.Background(), &sns.DeleteTopicInput{TopicArn: topic.TopicArn}); err != nil {
			t.Log(err)
		}
	})
	arn := func(queue string) string {
		return fmt.Sprintf("arn:aws:sqs:%s:000000000000:%s", cfg.Region, spec.ResourceName(name, queue))
	}
	if _, err := client.Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String(arn("gone")),
		Attributes: map[string]string{
			"RawMessageDelivery": "true",
			"RedrivePolicy":      fmt.Sprintf(`{"deadLetterTargetArn":%q}`, arn("process-undelivered")),
		},
	}); err != nil {
		t.Fatal(err)
	}
	return &awsio.Topic{Client: client, ARN: *topic.TopicArn}
}

// received takes n messages from a queue.
func received(t *testing.T, b *awsio.Broker, name string, n int) (all []queue.Received) {
	t.Helper()
	q, err := b.Queue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); len(all) < n && time.Now().Before(deadline); {
		msgs, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: queue.MaxBatch, Wait: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, msgs...)
	}
	if len(all) != n {
		t.Fatalf("%d messages in %s, want %d", len(all), name, n)
	}
	return all
}

// commanded runs a command and returns what it printed.
func commanded(t *testing.T, code int, args ...string) string {
	t.Helper()
	got, stdout, stderr := executed(t, args...)
	if got != code {
		t.Fatalf("millrace %s: exit code %d, want %d: %s%s", strings.Join(args, " "), got, code, stdout, stderr)
	}
	return stdout
}

// What SNS really puts into the queue of a subscription comes back unchanged.
func TestIntegrationUndelivered(t *testing.T) {
	cfg := localStack(t)
	name := "dlq-" + uuid.NewString()[:8]
	b := awsQueues(t, cfg, name)
	attrs := pipeline.Attrs{ContentType: "application/cloudevents-batch+json", Count: 2, TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	body := `[{"specversion":"1.0","id":"a","source":"/t","type":"t"},{"specversion":"1.0","id":"b","source":"/t","type":"t"}]`
	if err := refusingTopic(t, cfg, name).Send(t.Context(), []queue.Message{{Body: []byte(body), Attributes: attrs.Map()}})[0]; err != nil {
		t.Fatal(err)
	}
	target := []string{"--target", "localstack", "--env", name}
	var list ops.DeadLetterList
	for deadline := time.Now().Add(30 * time.Second); list.Total == 0 && time.Now().Before(deadline); {
		if err := json.Unmarshal([]byte(commanded(t, exitOK, append(target, "dlq", "list", "--json")...)), &list); err != nil {
			t.Fatal(err)
		}
	}
	if list.Total != 1 || list.Letters[0].Queue != "process-undelivered" || list.Letters[0].Events != 2 || list.Letters[0].Problem != "" {
		t.Fatalf("%+v", list)
	}
	commanded(t, exitOK, append(target, "dlq", "show", list.Letters[0].ID)...)
	commanded(t, exitOK, append(target, "dlq", "redrive", "--passing", "--execute")...)
	got := received(t, b, spec.Process, 1)[0]
	attrs.Redrives = 1
	if d := cmp.Diff(attrs.Map(), got.Attributes); d != "" || string(got.Body) != body {
		t.Errorf("%s: %s", got.Body, d)
	}
	depths, err := b.Depths(t.Context(), "process-undelivered")
	if err != nil || depths["process-undelivered"].Total() != 0 {
		t.Errorf("%+v, %v", depths, err)
	}
}

// The records that Kafka still has come to ingest's queue; those that it has deleted are
// named, and their message goes only when that is asked for.
func TestIntegrationKafkaFailed(t *testing.T) {
	cfg := localStack(t)
	kafka := harness.SharedKafka(t).Addr
	name := "dlq-" + uuid.NewString()[:8]
	b := awsQueues(t, cfg, name)
	topic := "flights-" + uuid.NewString()
	client, err := kafkaio.Dial(t.Context(), &kafkaio.Config{Brokers: []string{kafka}}, kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kafkaio.EnsureTopic(t.Context(), client, topic, 1); err != nil {
		t.Fatal(err)
	}
	const written, deleted = 30, 10
	for i := range written {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Key: []byte("k"), Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var gone kadm.Offsets
	gone.AddOffset(topic, 0, deleted, -1)
	if res, err := kadm.NewClient(client).DeleteRecords(t.Context(), gone); err != nil || res.Error() != nil {
		t.Fatal(err, res.Error())
	}
	q, err := b.Queue(t.Context(), spec.KafkaFailed)
	if err != nil {
		t.Fatal(err)
	}
	for _, span := range [][2]int{{5, 12}, {13, written - 1}} {
		m := fmt.Appendf(nil, `{"requestContext":{"condition":"RetryAttemptsExhausted"},"KafkaBatchInfo":{"recordsInfo":{"%s-0":{"firstRecordOffset":"%d","lastRecordOffset":"%d"}}}}`,
			topic, span[0], span[1])
		if err := q.Send(t.Context(), []queue.Message{{Body: m}})[0]; err != nil {
			t.Fatal(err)
		}
	}

	redrive := []string{"--target", "localstack", "--env", name, "dlq", "redrive", "--kafka", kafka}
	lost := fmt.Sprintf("lost: topic %s, partition 0, offsets 5 to 9 (5 offsets)", topic)
	if plan := commanded(t, exitOK, redrive...); !strings.Contains(plan, lost) || !strings.Contains(plan, "would send the Kafka records of 20 offsets") {
		t.Error(plan)
	}
	if done := commanded(t, exitFailure, append(redrive, "--execute")...); !strings.Contains(done, lost) || !strings.Contains(done, "sent 20 Kafka records") {
		t.Error(done)
	}
	seen := make(map[string]bool)
	for _, m := range received(t, b, spec.Ingest, written-deleted) {
		d := &pipeline.Delivery{Body: m.Body}
		d.Attrs, _ = pipeline.ParseAttrs(m.Attributes)
		opened, err := pipeline.OpenEnvelope(d)
		if err != nil {
			t.Fatal(err)
		}
		if string(opened.Body) != fmt.Sprint(opened.Kafka.Offset) || string(opened.Kafka.Key) != "k" || opened.Kafka.Topic != topic {
			t.Errorf("%s of %+v", opened.Body, opened.Kafka)
		}
		seen[string(opened.Body)] = true
	}
	if len(seen) != written-deleted {
		t.Errorf("%d records, want %d", len(seen), written-deleted)
	}
	stay := func(want int) {
		t.Helper()
		if depths, err := b.Depths(t.Context(), spec.KafkaFailed); err != nil || depths[spec.KafkaFailed].Total() != want {
			t.Errorf("%+v stay, want %d, %v", depths, want, err)
		}
	}
	stay(1)
	commanded(t, exitOK, append(redrive, "--execute", "--discard-lost")...)
	stay(0)
}
