// Package wire makes the parts of a Lambda function from its environment.
package wire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// environment reads variables and remembers which are missing.
type environment struct{ missing []error }

func (e *environment) get(name string) string {
	v := os.Getenv(name)
	if v == "" {
		e.missing = append(e.missing, fmt.Errorf("the environment variable %s is not set", name))
	}
	return v
}

func (e *environment) err() error { return errors.Join(e.missing...) }

// Parts of the function of a stage. The error names every variable that is missing.
func Parts(ctx context.Context, stage string) (*function.Parts, error) {
	st, ok := spec.StageByName(stage)
	if !ok {
		return nil, fmt.Errorf("there is no stage %q", stage)
	}
	p, err := common(ctx)
	if err != nil {
		return nil, err
	}
	var env environment
	topic := ""
	if st.Next != "" {
		topic = env.get(spec.NextTopicVar)
	}
	urls := map[string]string{st.Queue(): env.get(spec.QueueVar), st.DLQ(): env.get(spec.DLQVar)}
	bucket := env.get(spec.ClaimsVar)
	if err := env.err(); err != nil {
		return nil, err
	}
	cfg, err := awsio.Load(ctx)
	if err != nil {
		return nil, err
	}
	p.Topic = topicOf(cfg, topic)
	p.Queue = queueOf(cfg, urls)
	p.Claims = awsio.NewClaims(cfg, bucket)
	return p, nil
}

// RedriveParts of the function dlq-redrive: the URL of every queue is in a variable of
// its name, such as PROCESS_DLQ_URL.
func RedriveParts(ctx context.Context) (*function.Parts, error) {
	p, err := common(ctx)
	if err != nil {
		return nil, err
	}
	var env environment
	q := queues{urls: make(map[string]string)}
	for _, name := range spec.RedriveQueues() {
		q.urls[name] = env.get(spec.QueueURLVar(name))
	}
	if err := env.err(); err != nil {
		return nil, err
	}
	cfg, err := awsio.Load(ctx)
	if err != nil {
		return nil, err
	}
	q.client = sqs.NewFromConfig(cfg)
	p.Queues = q
	return p, nil
}

// common is what every function has.
func common(ctx context.Context) (*function.Parts, error) {
	settings, err := settings(ctx)
	if err != nil {
		return nil, err
	}
	registry, err := function.Handlers(settings)
	if err != nil {
		return nil, err
	}
	see, err := observe(settings)
	if err != nil {
		return nil, err
	}
	return &function.Parts{Settings: settings, Handlers: registry, Observe: see, Now: time.Now}, nil
}

// Schemas loads the schema registry, which ingest checks events against.
func Schemas(p *function.Parts) error {
	r, err := function.Schemas(p.Settings)
	p.Schema = r
	return err
}

func topicOf(cfg aws.Config, arn string) func(string) pipeline.Sender {
	t := &awsio.Topic{Client: sns.NewFromConfig(cfg), ARN: arn}
	return func(string) pipeline.Sender { return t }
}

func queueOf(cfg aws.Config, urls map[string]string) func(string) pipeline.Sender {
	client := sqs.NewFromConfig(cfg)
	return func(name string) pipeline.Sender { return &awsio.Queue{Client: client, URL: urls[name]} }
}

// pollWait is how long a redrive waits for dead letters, so that an empty answer means
// that there are none (awsio.Queue).
const pollWait = time.Second

// queues opens SQS queues by Millrace's name for them. It implements redrive.Queues.
type queues struct {
	client *sqs.Client
	urls   map[string]string
}

func (q queues) Queue(_ context.Context, name string) (queue.Queue, error) {
	url, ok := q.urls[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, queue.ErrNoQueue)
	}
	return &awsio.Queue{Client: q.client, URL: url, MinWait: pollWait}, nil
}
