package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// pollWait is how long a command waits for the messages of a queue, so that an empty
// answer means that there are none (awsio.Queue).
const pollWait = time.Second

// deployedRate is what the rate is of: CloudWatch has a value a minute, some minutes late.
const deployedRate = 5 * time.Minute

func (t *deployedTarget) status(ctx context.Context, o *clusterOptions) (s statusJSON, err error) {
	f, err := t.find(ctx)
	if err != nil {
		return s, err
	}
	s.Deployment = &f.deployment
	meter := &awsio.Meter{Client: cloudwatch.NewFromConfig(f.cfg), Env: f.Env, Now: t.env.now}
	from := ops.StatusSources{
		Store: t.counter(ctx), Queues: &agedQueues{f.broker, meter}, Meter: meter, Rate: deployedRate, Now: t.env.now,
		Lag: (*reportedLag)(meter), Also: ops.FurtherQueues(),
	}
	if o.brokers != "" {
		c, err := o.config(t.env, o.brokers)
		if err != nil {
			return s, err
		}
		group := o.group
		if group == "" {
			group = spec.ResourceName(f.Env, spec.Ingest)
		}
		from.Lag = &lagger{t.kafka, c, group, o.topic}
	}
	s.Status = ops.ReadStatus(ctx, from)
	return s, nil
}

// counter counts events, or says why it cannot: an event store that is not to be reached
// from here leaves the rest of a status to be seen.
func (t *deployedTarget) counter(ctx context.Context) ops.Counter {
	events, err := t.events(ctx, nil)
	if err != nil {
		return noStore{err}
	}
	return events
}

type noStore struct{ err error }

// Count implements ops.Counter.
func (s noStore) Count(context.Context, store.Filter) (int64, error) { return 0, s.err }

// kafka is a client of the cluster, kept for the next call.
func (t *deployedTarget) kafka(ctx context.Context, c kafkaio.Config) (*kgo.Client, error) {
	if t.client != nil {
		return t.client, nil
	}
	client, err := dialForLag(ctx, c)
	t.client = client
	return client, err
}

// agedQueues adds to the depths what only CloudWatch knows; where it does not answer, the
// counts alone are worth seeing. It is an ops.Depther.
type agedQueues struct {
	*awsio.Broker
	meter *awsio.Meter
}

// Depths implements ops.Depther.
func (q *agedQueues) Depths(ctx context.Context, names ...string) (map[string]queue.Depth, error) {
	depths, err := q.Broker.Depths(ctx, names...)
	if err != nil {
		return nil, err
	}
	var full []string
	for name, d := range depths {
		if d.Total() > 0 {
			full = append(full, q.Prefix+name)
		}
	}
	if len(full) == 0 {
		return depths, nil
	}
	ages, err := q.meter.Ages(ctx, full...)
	if err != nil {
		return depths, nil // reading the metrics fails too, and says so
	}
	for name, d := range depths {
		d.Oldest = ages[q.Prefix+name]
		depths[name] = d
	}
	return depths, nil
}

// reportedLag is the lag that the pipeline itself has reported last. It is an ops.Lagger.
type reportedLag awsio.Meter

// Lag implements ops.Lagger.
func (m *reportedLag) Lag(ctx context.Context) (int64, bool, error) {
	v, known, err := (*awsio.Meter)(m).Newest(ctx, spec.ConsumerLag, spec.Ingest)
	return int64(v), known, err
}
