//go:build integration

package alarms

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/localstack/harness/deployed"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// standstill: event sources are disabled and work waits for them, and a schedule is.
// Nothing has been finished yet, so that messages that are old enough are enough for the
// other stages to count as stalled.
func (d *deployment) standstill(t *testing.T) {
	kafka, queue := d.source(t, spec.Ingest, true), d.source(t, spec.Process, false)
	d.schedule.stop(t, spec.Redrive)
	d.enable(t, kafka, false)
	d.enable(t, queue, false)
	old := append(the(t, spec.Ingest, "stalled"), the(t, spec.Persist, "stalled")...)
	stop := d.breach(t, onlyWaiting(old))
	d.fires(t, 40*time.Second, old...)
	stop()

	// By now what a disabled event source had still asked for has been answered.
	var records []*kgo.Record
	for i := range 300 {
		records = append(records, &kgo.Record{Value: event("/waits", i)})
	}
	if err := d.Produce(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	d.send(t, spec.Process, "it waits")
	d.fires(t, 100*time.Second, slices.Concat(
		the(t, spec.Ingest, "kafka-stalled", "consumer-lag-critical", "consumer-lag-high", "consumer-lag-warning"),
		the(t, spec.Process, "stalled", "queue-age"),
		the(t, spec.Persist, "throughput-floor"),
		the(t, spec.Redrive, "redrive-stopped"),
	)...)

	d.schedule.start(t, spec.Redrive)
	if err := d.Broker().Purge(t.Context(), spec.Process); err != nil {
		t.Fatal(err)
	}
	d.enable(t, queue, true)
	d.enable(t, kafka, true)
	// Two faults of ingest, one after the other: of its queue, then of Kafka.
	d.ends(t, map[string]int{spec.PagerName(d.Env, spec.Ingest, spec.P1): 2, spec.PagerName(d.Env, spec.Ingest, spec.P3): 2})
}

// onlyWaiting leaves the conditions out that something is finished, which has no data.
func onlyWaiting(stalled []target) []target {
	stalled = slices.Clone(stalled)
	for i := range stalled {
		stalled[i].alarm.When = slices.DeleteFunc(slices.Clone(stalled[i].alarm.When), func(c spec.Condition) bool { return c.Name != "waiting" })
	}
	return stalled
}

// event is one that the pipeline stores.
func event(source string, n int) []byte {
	return fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"%s","type":"com.example.order.placed","data":{"n":%[1]d}}`, n, source)
}

// source is the event source mapping of a stage, that of Kafka or of its queue.
func (d *deployment) source(t *testing.T, stage string, kafka bool) string {
	t.Helper()
	client := lambda.NewFromConfig(d.AWS)
	pages := lambda.NewListEventSourceMappingsPaginator(client, &lambda.ListEventSourceMappingsInput{})
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range out.EventSourceMappings {
			m := &out.EventSourceMappings[i]
			if strings.Contains(*m.FunctionArn, ":"+spec.ResourceName(d.Env, stage)+":") && (m.SelfManagedEventSource != nil) == kafka {
				return *m.UUID
			}
		}
	}
	t.Fatalf("%s has no event source mapping (Kafka: %v)", stage, kafka)
	return ""
}

// enable an event source mapping, or disable it, and wait until it is so.
func (d *deployment) enable(t *testing.T, uuid string, enabled bool) {
	t.Helper()
	client := lambda.NewFromConfig(d.AWS)
	if _, err := client.UpdateEventSourceMapping(t.Context(), &lambda.UpdateEventSourceMappingInput{UUID: &uuid, Enabled: &enabled}); err != nil {
		t.Fatal(err)
	}
	want := "Disabled"
	if enabled {
		want = "Enabled"
	}
	deployed.Await(t, "event source mapping "+uuid, 30*time.Second, func(ctx context.Context) error {
		m, err := client.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: &uuid})
		if err == nil && *m.State != want {
			err = fmt.Errorf("it is %s, not %s", *m.State, want)
		}
		return err
	})
}

// send a message to a queue.
func (d *deployment) send(t *testing.T, queue, body string) {
	t.Helper()
	if err := d.enqueue(t.Context(), queue, body); err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) enqueue(ctx context.Context, queue, body string) error {
	client, name := sqs.NewFromConfig(d.AWS), spec.ResourceName(d.Env, queue)
	q, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err == nil {
		_, err = client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.QueueUrl, MessageBody: &body})
	}
	return err
}
