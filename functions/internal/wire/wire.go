// Package wire makes the parts of a Lambda function from its environment.
package wire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	samples "github.com/millrace-pipeline/millrace/events-samples"
	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/schema"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Environment variables that infrastructure sets besides the settings.
const (
	envTopic  = "NEXT_TOPIC_ARN" // of the next stage's topic; a last stage has none
	envQueue  = "QUEUE_URL"      // of the stage's own queue
	envDLQ    = "DLQ_URL"        // of its dead-letter queue
	envClaims = "CLAIMS_BUCKET"
)

// Parts of the function of a stage. The error names every variable that is missing.
func Parts(ctx context.Context, stage string) (*function.Parts, error) {
	settings, err := spec.Load(os.Environ())
	if err != nil {
		return nil, err
	}
	st, ok := spec.StageByName(stage)
	if !ok {
		return nil, fmt.Errorf("there is no stage %q", stage)
	}
	var missing []error
	get := func(name string) string {
		v := os.Getenv(name)
		if v == "" {
			missing = append(missing, fmt.Errorf("the environment variable %s is not set", name))
		}
		return v
	}
	topic := ""
	if st.Next != "" {
		topic = get(envTopic)
	}
	own, dlq, bucket := get(envQueue), get(envDLQ), get(envClaims)
	if err := errors.Join(missing...); err != nil {
		return nil, err
	}
	cfg, err := awsio.Load(ctx)
	if err != nil {
		return nil, err
	}
	registry, err := handlers.New(handlers.Settings{PseudonymKey: settings.PseudonymKey.Bytes()})
	if err != nil {
		return nil, err
	}
	registered, err := schema.Load(samples.Schemas, settings.SchemaUnknown == spec.SchemaRefuse)
	if err != nil {
		return nil, err
	}
	see, err := observe(settings)
	if err != nil {
		return nil, err
	}
	return &function.Parts{
		Settings: settings,
		Topic:    topicOf(cfg, topic),
		Queue:    queueOf(cfg, map[string]string{st.Queue(): own, st.DLQ(): dlq}),
		Claims:   &awsio.Claims{Client: s3.NewFromConfig(cfg), Bucket: bucket},
		Schema:   registered,
		Handlers: registry,
		Observe:  see,
		Now:      time.Now,
	}, nil
}

func topicOf(cfg aws.Config, arn string) func(string) pipeline.Sender {
	t := &awsio.Topic{Client: sns.NewFromConfig(cfg), ARN: arn}
	return func(string) pipeline.Sender { return t }
}

func queueOf(cfg aws.Config, urls map[string]string) func(string) pipeline.Sender {
	client := sqs.NewFromConfig(cfg)
	return func(name string) pipeline.Sender { return &awsio.Queue{Client: client, URL: urls[name]} }
}
