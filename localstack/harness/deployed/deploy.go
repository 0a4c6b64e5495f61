package deployed

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/localstack/host"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

const (
	// deployTimeout bounds all that follows the servers' start. Compiling the CDK for the
	// first time takes a minute or two of it.
	deployTimeout = 10 * time.Minute
	partitions    = 4
	// localStackAccount is the account of every resource of a LocalStack.
	localStackAccount = "000000000000"
)

// deploy does what the README tells a user to do.
func deploy(t testing.TB, settings []string) (*Pipeline, error) {
	top, err := host.Checkout()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(t.Context(), deployTimeout)
	defer cancel()
	built := make(chan error, 1)
	go func() { built <- build(ctx, top) }() // while the servers start

	p := &Pipeline{Env: "e2e-" + randomHex(), Top: top}
	p.Topic, p.Group = spec.ResourceName(p.Env, "events"), spec.ResourceName(p.Env, spec.Ingest)
	begun := time.Now()
	p.Kafka, p.Mongo = harness.SharedKafka(t), harness.SharedMongo(t)
	endpoint := harness.LocalStack(t) // after Kafka, which it takes for every MSK cluster
	p.AWS = harness.AWS(t)
	p.phases = append(p.phases, phase{"servers", time.Since(begun)})
	if p.MongoURI, err = withDatabase(p.Mongo.Addr, p.Env); err != nil {
		return nil, err
	}
	p.Set("target="+spec.TargetLocalStack, "env="+p.Env,
		"kafka="+spec.KafkaSelf, "kafkaBootstrapServers="+p.Kafka.Addr, "kafkaTopic="+p.Topic,
		"kafkaPartitions="+strconv.Itoa(partitions))
	p.Set(settings...)
	home, err := harness.RunDir("cdk")
	if err != nil {
		return nil, err
	}
	harness.AtEnd(func(context.Context) error { return os.RemoveAll(home) })
	p.cdk = host.CDK{App: top, Endpoint: endpoint, Home: home}
	harness.AtEnd(p.cleanUp)
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"cdk bootstrap", p.bootstrap},
		{"build", func(context.Context) error { return <-built }},
		{"cdk deploy", func(ctx context.Context) error { _, err := p.Deploy(ctx); return err }},
		{"topic", p.initTopic},
		{"store", p.initStore},
	} {
		begun := time.Now()
		if err := step.do(ctx); err != nil {
			return nil, err
		}
		p.phases = append(p.phases, phase{step.name, time.Since(begun)})
	}
	return p, nil
}

// build builds the functions, and compiles the CDK app and the command line, which would
// else be done when they run.
func build(ctx context.Context, top string) error {
	for _, args := range [][]string{
		{"run", "./scripts/functions", "-arch", runtime.GOARCH},
		{"build", "-o", os.DevNull, "./infra"},
		{"build", "-o", os.DevNull, "./scripts/millrace"},
	} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = top
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %v: %w\n%s", args, err, out)
		}
	}
	return nil
}

func (p *Pipeline) bootstrap(ctx context.Context) error {
	_, err := p.CDK(ctx, "bootstrap", "aws://"+localStackAccount+"/"+host.LocalStackRegion)
	return err
}

// Set changes settings of the deployment (spec.DeploymentTable), given as "key=value", for
// the next Deploy; "key=" leaves one out.
func (p *Pipeline) Set(settings ...string) {
	for _, s := range settings {
		key, value, _ := strings.Cut(s, "=")
		p.settings = slices.DeleteFunc(p.settings, func(old string) bool { return strings.HasPrefix(old, key+"=") })
		if value != "" {
			p.settings = append(p.settings, s)
		}
	}
}

// Deploy runs `cdk deploy` of all stacks and returns what it printed.
func (p *Pipeline) Deploy(ctx context.Context) (string, error) {
	return p.app(ctx, "deploy", "--all", "--require-approval", "never")
}

// Destroy runs `cdk destroy` of all stacks and returns what it printed.
func (p *Pipeline) Destroy(ctx context.Context) (string, error) {
	return p.app(ctx, "destroy", "--all", "--force")
}

// app runs a command of the CDK on the app with the settings.
func (p *Pipeline) app(ctx context.Context, args ...string) (string, error) {
	for _, s := range p.settings {
		args = append(args, "-c", s)
	}
	return p.CDK(ctx, args...)
}

// CDK runs the CDK's command line and returns what it printed; an error shows the end.
func (p *Pipeline) CDK(ctx context.Context, args ...string) (string, error) {
	var out strings.Builder
	err := p.cdk.Run(ctx, &out, args...)
	if err != nil {
		const shown = 30
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		err = fmt.Errorf("%w\n%s", err, strings.Join(lines[max(0, len(lines)-shown):], "\n"))
	}
	return out.String(), err
}

// initTopic runs the command that follows the first deployment.
func (p *Pipeline) initTopic(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "run", "./scripts/millrace", "topic", "init", "--target", spec.TargetLocalStack, "--env", p.Env)
	cmd.Dir = p.Top
	cmd.Env = append(os.Environ(), host.LocalStackEnv(p.cdk.Endpoint)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("millrace topic init: %w\n%s", err, out)
	}
	return nil
}

func (p *Pipeline) admin(do func(*kadm.Client) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(p.Kafka.Addr))
	if err == nil {
		defer client.Close()
		err = do(kadm.NewClient(client))
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w", p.Topic, err)
	}
	return nil
}

// initStore does what follows the first deployment: the connection string goes into its
// secret, and the database gets its collections and indexes.
func (p *Pipeline) initStore(ctx context.Context) error {
	id := spec.SecretName(p.Env, spec.MongoSecret)
	_, err := secretsmanager.NewFromConfig(p.AWS).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: &p.MongoURI})
	if err != nil {
		return fmt.Errorf("secret %s: %w", id, err)
	}
	registry, err := handlers.New(handlers.Settings{})
	if err != nil {
		return err
	}
	return mongostore.Init(ctx, mongostore.Options{URI: p.MongoURI, Aggregate: registry.Aggregates})
}

// cleanUp takes away what would stay: a server that the environment names goes on.
func (p *Pipeline) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, deployTimeout)
	defer cancel()
	var errs []error
	if os.Getenv(harness.LocalStackEnv) != "" {
		_, err := p.Destroy(ctx)
		errs = append(errs, err)
	}
	if os.Getenv(harness.KafkaEnv) != "" {
		errs = append(errs, p.admin(func(a *kadm.Client) error {
			_, err := a.DeleteTopic(ctx, p.Topic)
			return err
		}))
	}
	if os.Getenv(harness.MongoEnv) != "" {
		errs = append(errs, p.dropDatabase(ctx))
	}
	return errors.Join(errs...)
}

func (p *Pipeline) dropDatabase(ctx context.Context) error {
	client, err := mongo.Connect(options.Client().ApplyURI(p.MongoURI))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(ctx) }()
	return client.Database(p.Env).Drop(ctx)
}

func withDatabase(uri, database string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", errors.New("MongoDB's connection string is not a URL")
	}
	u.Path = "/" + database
	return u.String(), nil
}

func randomHex() string {
	var b [3]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
