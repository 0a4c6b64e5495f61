package deployed

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

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
func deploy(t testing.TB) (*Pipeline, error) {
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
	endpoint := harness.LocalStack(t)
	p.AWS, p.Mongo, p.Kafka = harness.AWS(t), harness.SharedMongo(t), harness.SharedKafka(t)
	p.phases = append(p.phases, Phase{"servers", time.Since(begun)})
	if p.MongoURI, err = withDatabase(p.Mongo.Addr, p.Env); err != nil {
		return nil, err
	}
	p.context = map[string]string{
		"target": spec.TargetLocalStack, "env": p.Env,
		"kafka": spec.KafkaSelf, "kafkaBootstrapServers": p.Kafka.Addr, "kafkaTopic": p.Topic,
	}
	home, err := os.MkdirTemp("", "millrace-cdk-")
	if err != nil {
		return nil, err
	}
	harness.AtEnd(func(context.Context) error { return os.RemoveAll(home) })
	p.cdk = host.CDK{App: top, Endpoint: endpoint, Home: home}
	for _, phase := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"cdk bootstrap", p.bootstrap},
		{"build", func(context.Context) error { return <-built }},
		{"topic", p.makeTopic},
		{"cdk deploy", func(ctx context.Context) error { _, err := p.Deploy(ctx, nil); return err }},
		{"store", p.initStore},
	} {
		if err := p.timed(ctx, phase.name, phase.do); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// build builds the functions, and compiles the CDK app, which `cdk deploy` would do.
func build(ctx context.Context, top string) error {
	for _, args := range [][]string{
		{"run", "./scripts/functions", "-arch", runtime.GOARCH},
		{"build", "-o", os.DevNull, "./infra"},
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

// Deploy runs `cdk deploy` of all stacks with this context besides that of the deployment,
// and returns what it printed. A stack that it made is destroyed at the end where the
// LocalStack goes on without this test binary.
func (p *Pipeline) Deploy(ctx context.Context, extra map[string]string) (string, error) {
	return p.CDK(ctx, append([]string{"deploy", "--all", "--require-approval", "never"}, p.contextArgs(extra)...)...)
}

// Destroy runs `cdk destroy` of these stacks, all without names, and returns what it
// printed.
func (p *Pipeline) Destroy(ctx context.Context, stacks ...string) (string, error) {
	if len(stacks) == 0 {
		stacks = []string{"--all"}
	}
	return p.CDK(ctx, append(append([]string{"destroy", "--force"}, stacks...), p.contextArgs(nil)...)...)
}

// CDK runs the CDK's command line and returns what it printed, which its error has too.
func (p *Pipeline) CDK(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	if err := p.cdk.Run(ctx, &out, args...); err != nil {
		return out.String(), fmt.Errorf("%w\n%s", err, out.Bytes())
	}
	return out.String(), nil
}

func (p *Pipeline) contextArgs(extra map[string]string) []string {
	var args []string
	for _, context := range []map[string]string{p.context, extra} {
		for key, value := range context {
			args = append(args, "-c", key+"="+value)
		}
	}
	return args
}

func (p *Pipeline) makeTopic(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(p.Kafka.Addr))
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, partitions, -1, nil, p.Topic); err != nil {
		return fmt.Errorf("create topic %s: %w", p.Topic, err)
	}
	return nil
}

// initStore does what follows the first deployment: the connection string goes into its
// secret, and the database gets its collections and indexes.
func (p *Pipeline) initStore(ctx context.Context) error {
	if err := p.PutMongoURI(ctx, p.MongoURI); err != nil {
		return err
	}
	registry, err := handlers.New(handlers.Settings{})
	if err != nil {
		return err
	}
	return mongostore.Init(ctx, mongostore.Options{URI: p.MongoURI, Aggregate: registry.Aggregates})
}

// PutMongoURI puts a connection string into the secret that the functions read.
func (p *Pipeline) PutMongoURI(ctx context.Context, uri string) error {
	id := spec.SecretName(p.Env, spec.MongoSecret)
	_, err := secretsmanager.NewFromConfig(p.AWS).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: &uri})
	if err != nil {
		return fmt.Errorf("secret %s: %w", id, err)
	}
	return nil
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
