package deployed

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/localstack/host"
	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Broker opens the queues of the deployment by their names in package spec, such as
// "process-dlq".
func (p *Pipeline) Broker() *awsio.Broker {
	return &awsio.Broker{Client: sqs.NewFromConfig(p.AWS), Prefix: spec.ResourceName(p.Env, "")}
}

// Function is a function of the deployment, by its name in package spec, as its alias has
// it.
func (p *Pipeline) Function(name string) *awsio.Function {
	return &awsio.Function{Client: lambda.NewFromConfig(p.AWS), Name: spec.ResourceName(p.Env, name), Alias: spec.Alias}
}

// ClaimsBucket is the name of the bucket of claims and of the open pages.
func (p *Pipeline) ClaimsBucket() string {
	return spec.BucketName(p.Env, spec.ClaimsBucket, localStackAccount, host.LocalStackRegion)
}

// Produce writes records to the topic that ingest reads.
func (p *Pipeline) Produce(ctx context.Context, records ...*kgo.Record) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(p.Kafka.Addr), kgo.DefaultProduceTopic(p.Topic))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.ProduceSync(ctx, records...).FirstErr()
}

// DeadLetters reads the dead-letter queues of the deployment.
func (p *Pipeline) DeadLetters() *ops.DeadLetters {
	return &ops.DeadLetters{
		Queues: p.Broker(), MaxEvent: 10_000_000,
		Claims: &awsio.Claims{Client: s3.NewFromConfig(p.AWS), Bucket: p.ClaimsBucket()},
	}
}

// Depth is how many messages a queue holds: visible, in flight and delayed.
func (p *Pipeline) Depth(ctx context.Context, name string) (int, error) {
	depths, err := p.Broker().Depths(ctx, name)
	if err != nil {
		return 0, err
	}
	d := depths[name]
	return d.Visible + d.InFlight + d.Delayed, nil
}

// Dead is how many messages the dead-letter queues and the quarantine hold.
func (p *Pipeline) Dead(ctx context.Context) (int, error) {
	dead := 0
	for _, name := range ops.DeadLetterQueues() {
		n, err := p.Depth(ctx, name)
		if err != nil {
			return 0, err
		}
		dead += n
	}
	return dead, nil
}

// Store opens the event store. The caller closes it.
func (p *Pipeline) Store(ctx context.Context) (*mongostore.Store, error) {
	registry, err := handlers.New(handlers.Settings{})
	if err != nil {
		return nil, err
	}
	return mongostore.Open(ctx, mongostore.Options{URI: p.MongoURI, Aggregate: registry.Aggregates})
}

// Lag is how many records of the topic ingest has not acknowledged.
func (p *Pipeline) Lag(ctx context.Context) (lag int64, err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(p.Kafka.Addr))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	parts, err := kafkaio.Lag(ctx, client, p.Group, p.Topic)
	for _, part := range parts {
		lag += part.Lag
	}
	return lag, err
}

// Idle is nil when nothing is under way: no consumer lag, no message in a stage's queue.
// What SNS has taken and SQS does not show yet is not seen: wait for the events first.
func (p *Pipeline) Idle(ctx context.Context) error {
	lag, err := p.Lag(ctx)
	if err == nil && lag > 0 {
		err = fmt.Errorf("ingest is %d records behind", lag)
	}
	if err != nil {
		return err
	}
	for _, s := range spec.Stages {
		n, err := p.Depth(ctx, s.Queue())
		if err == nil && n > 0 {
			err = fmt.Errorf("the queue %s holds %d messages", s.Queue(), n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
