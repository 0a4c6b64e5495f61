//go:build integration

package deployed

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// stack is a deployed pipeline without functions: queues, and the secret of an event
// store whose user has a password.
type stack struct {
	cfg      aws.Config
	env      string
	uri      string // of the event store, password included
	password string
	broker   *awsio.Broker
}

// environ is what an operator has set. It has no secret.
func (s *stack) environ() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + *s.cfg.BaseEndpoint, "AWS_REGION=" + s.cfg.Region, "AWS_EC2_METADATA_DISABLED=true",
		"ENV=" + s.env, "REGION=" + s.cfg.Region,
	}
}

// deploy makes a stack of a new environment. It is gone after the test.
func deploy(t testing.TB, cfg aws.Config, mongoURI string) (*stack, error) {
	var random [4]byte
	rand.Read(random[:])
	s := &stack{cfg: cfg, env: "t" + hex.EncodeToString(random[:]), password: "pass-" + rand.Text()}
	s.broker = &awsio.Broker{Client: sqs.NewFromConfig(cfg), Prefix: spec.ResourceName(s.env, "")}
	t.Cleanup(func() {
		if err := s.destroy(mongoURI); err != nil {
			t.Error(err)
		}
	})
	ctx := t.Context()
	if err := s.makeQueues(ctx); err != nil {
		return nil, err
	}
	if err := s.makeStore(ctx, mongoURI); err != nil {
		return nil, err
	}
	name := spec.SecretName(s.env, spec.MongoSecret)
	_, err := secretsmanager.NewFromConfig(cfg).CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: &s.uri})
	return s, err
}

func (s *stack) makeQueues(ctx context.Context) error {
	dead := queue.Config{Retention: spec.DLQRetention}
	deadLetters := []string{spec.Quarantine, spec.KafkaFailed}
	for _, st := range spec.Stages {
		deadLetters = append(deadLetters, st.DLQ(), st.Undelivered())
	}
	for _, name := range deadLetters {
		if err := s.broker.Create(ctx, name, dead); err != nil {
			return err
		}
	}
	for _, st := range spec.Stages {
		if err := s.broker.Create(ctx, st.Queue(), queue.Config{Visibility: st.Visibility(), DLQ: st.DLQ(), MaxReceives: st.MaxReceives}); err != nil {
			return err
		}
	}
	return nil
}

// makeStore makes the database of the environment, and a user of it.
func (s *stack) makeStore(ctx context.Context, mongoURI string) error {
	client, err := mongo.Connect(options.Client().ApplyURI(mongoURI))
	if err != nil {
		return err
	}
	defer client.Disconnect(ctx)
	create := bson.D{{Key: "createUser", Value: "millrace"}, {Key: "pwd", Value: s.password}, {Key: "roles", Value: bson.A{"readWrite"}}}
	if err := client.Database(s.env).RunCommand(ctx, create).Err(); err != nil {
		return err
	}
	u, err := url.Parse(mongoURI)
	if err != nil {
		return err
	}
	u.User, u.Path = url.UserPassword("millrace", s.password), "/"+s.env
	s.uri = u.String()
	return mongostore.Init(ctx, mongostore.Options{URI: s.uri})
}

func (s *stack) destroy(mongoURI string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	depths, err := s.broker.Depths(ctx)
	errs := []error{err}
	for name := range depths {
		q, err := s.broker.Queue(ctx, name)
		if err == nil {
			_, err = s.broker.Client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &q.(*awsio.Queue).URL})
		}
		errs = append(errs, err)
	}
	name := spec.SecretName(s.env, spec.MongoSecret)
	_, err = secretsmanager.NewFromConfig(s.cfg).DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true)})
	errs = append(errs, err)
	client, err := mongo.Connect(options.Client().ApplyURI(mongoURI))
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	defer client.Disconnect(ctx)
	db := client.Database(s.env)
	errs = append(errs, db.RunCommand(ctx, bson.D{{Key: "dropAllUsersFromDatabase", Value: 1}}).Err(), db.Drop(ctx))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clean up %s: %w", s.env, err)
	}
	return nil
}
