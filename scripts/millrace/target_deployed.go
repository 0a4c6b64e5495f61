package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// deployedTarget is a pipeline on AWS or on LocalStack. Its resources are found by their
// names in shared/spec/names.go.
type deployedTarget struct {
	env   env
	kind  string // targetAWS or targetLocalStack
	name  string // of the environment
	mongo string // connection string of the event store; "": the deployment's secret has it

	// Opened when first needed.
	found  *found
	store  *mongostore.Store
	client *kgo.Client
}

// found is a deployment that is there.
type found struct {
	cfg    aws.Config
	broker *awsio.Broker
	deployment
}

// deployment says where a deployed pipeline is.
type deployment struct {
	Target   string `json:"target"`
	Env      string `json:"env"`
	Region   string `json:"region"`
	Account  string `json:"account"`
	Endpoint string `json:"endpoint,omitempty"` // "" for AWS's own
}

func (d *deployment) String() string {
	s := fmt.Sprintf("%s in %s, account %s", spec.ResourceName(d.Env, "*"), d.Region, d.Account)
	if d.Endpoint != "" {
		s += ", at " + d.Endpoint
	}
	return s
}

// find makes sure that there is such a deployment, before anything is asked of it: its
// other parts would each be missing in their own way.
func (t *deployedTarget) find(ctx context.Context) (*found, error) {
	if t.found != nil {
		return t.found, nil
	}
	load := awsio.Load
	if t.kind == targetLocalStack {
		load = awsio.LoadLocalStack
	}
	cfg, err := load(ctx)
	if err != nil {
		return nil, err
	}
	if err := awsio.CheckAccess(ctx, cfg); err != nil {
		return nil, err
	}
	account, err := awsio.Account(ctx, cfg)
	if err != nil {
		return nil, err
	}
	f := &found{
		cfg:        cfg,
		broker:     &awsio.Broker{Client: sqs.NewFromConfig(cfg), Prefix: spec.ResourceName(t.name, ""), MinWait: pollWait},
		deployment: deployment{Target: t.kind, Env: t.name, Region: cfg.Region, Account: account, Endpoint: aws.ToString(cfg.BaseEndpoint)},
	}
	if _, err := f.broker.Queue(ctx, spec.Ingest); err != nil {
		return nil, f.explain(err)
	}
	t.found = f
	return f, nil
}

// explain says of a queue that is missing what it probably means.
func (f *found) explain(err error) error {
	if !errors.Is(err, queue.ErrNoQueue) {
		return err
	}
	where := f.Region
	if f.Endpoint != "" {
		where += " at " + f.Endpoint
	}
	return fmt.Errorf("there is no queue %s in %s (account %s): is it deployed? --env names another environment, AWS_REGION another region, AWS_PROFILE another account",
		spec.ResourceName(f.Env, spec.Ingest), where, f.Account)
}

func (t *deployedTarget) close() {
	// They were only read: nothing can be lost.
	if t.store != nil {
		_ = t.store.Close()
	}
	if t.client != nil {
		t.client.Close()
	}
}

func (t *deployedTarget) queues(ctx context.Context) (queues, error) {
	f, err := t.find(ctx)
	if err != nil {
		return queues{}, err
	}
	bucket := spec.BucketName(f.Env, spec.ClaimsBucket, f.Account, f.Region)
	return queues{f.broker, awsio.NewClaims(f.cfg, bucket)}, nil
}

func (t *deployedTarget) mongoURI(ctx context.Context) (string, error) {
	if t.mongo != "" {
		return t.mongo, nil
	}
	f, err := t.find(ctx)
	if err != nil {
		return "", err
	}
	s := awsio.Secret{Client: secretsmanager.NewFromConfig(f.cfg), ID: spec.SecretName(f.Env, spec.MongoSecret), Now: t.env.now}
	uri, err := s.Text(ctx)
	if err != nil {
		return "", fmt.Errorf("%w (--mongo or %s names the event store instead)", err, mongoEnv)
	}
	return uri, nil
}

func (t *deployedTarget) events(ctx context.Context, aggregate func(string) bool) (store.Store, error) {
	if t.store == nil {
		uri, err := t.mongoURI(ctx)
		if err != nil {
			return nil, err
		}
		s, err := mongostore.Open(ctx, mongostore.Options{URI: uri, Aggregate: aggregate})
		if err != nil { // not a nil *Store in the interface
			return nil, err
		}
		t.store = s
	}
	return t.store, nil
}

func (t *deployedTarget) door(ctx context.Context, _ *clusterOptions) (door, error) {
	f, err := t.find(ctx)
	if err != nil {
		return door{}, err
	}
	return newQueueDoor(ctx, f)
}

// idle: event sources poll as long as the pipeline is deployed.
func (t *deployedTarget) idle() string { return "" }
