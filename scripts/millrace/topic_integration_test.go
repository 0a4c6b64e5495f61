//go:build integration

package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// topicDeployment is what `millrace topic` needs of one: the ingest queue, by which a
// deployment is found, monitor with its own zip and a deployment's variables, and a
// function called ingest whose event source polls the topic.
type topicDeployment struct {
	name      string
	topic     string
	functions *lambda.Client
}

func deployTopic(t *testing.T, kafka string) *topicDeployment {
	t.Helper()
	cfg := localStack(t)
	d := &topicDeployment{name: "topic" + uuid.NewString()[:6], functions: lambda.NewFromConfig(cfg)}
	d.topic = spec.ResourceName(d.name, "events")
	makeIngestQueue(t, cfg, d.name)
	given, err := spec.LoadDeployment(map[string]any{
		"target": "localstack", "env": d.name, "kafka": "self", "kafkaBootstrapServers": kafka, "kafkaTopic": d.topic, "kafkaPartitions": "3", "kafkaRetention": "24h",
	})
	if err != nil {
		t.Fatal(err)
	}
	vars := given.MonitorKafkaVars()
	vars["MILLRACE_ENV"], vars["MONGODB_URI"] = d.name, "mongodb://127.0.0.1:1/"
	zip := functionZip(t, spec.Monitor)
	makeFunction(t, d.functions, spec.ResourceName(d.name, spec.Monitor), zip, vars)
	makeFunction(t, d.functions, spec.ResourceName(d.name, spec.Ingest), zip, vars)
	mapping, err := d.functions.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String(spec.ResourceName(d.name, spec.Ingest) + ":" + spec.Alias), Topics: []string{d.topic}, StartingPosition: types.EventSourcePositionTrimHorizon,
		SelfManagedEventSource:     &types.SelfManagedEventSource{Endpoints: map[string][]string{"KAFKA_BOOTSTRAP_SERVERS": {kafka}}},
		SourceAccessConfigurations: []types.SourceAccessConfiguration{},
	})
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, func(ctx context.Context) error {
		_, err := d.functions.DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: mapping.UUID})
		return err
	})
	return d
}

// millrace runs the command on the deployment.
func (d *topicDeployment) millrace(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return executed(t, append(args, "--target", targetLocalStack, "--env", d.name)...)
}

// What a person types after the first deployment, and reads: the topic is missing, is
// made, and differs from the settings.
func TestIntegrationTopic(t *testing.T) {
	kafka := harness.Kafka(t)
	d := deployTopic(t, kafka)
	atEnd(t, func(ctx context.Context) error {
		client, err := kgo.NewClient(kgo.SeedBrokers(kafka))
		if err != nil {
			return err
		}
		defer client.Close()
		_, err = kadm.NewClient(client).DeleteTopic(ctx, d.topic)
		return err
	})
	if code, stdout, stderr := d.millrace(t, "topic", "show"); code != exitNotFound || stdout != "" ||
		!strings.Contains(stderr, "there is no topic "+d.topic+": `millrace topic init` makes it, or kafka-topics.sh --bootstrap-server "+kafka+" --create") {
		t.Fatalf("%d %q %q", code, stdout, stderr)
	}
	code, stdout, stderr := d.millrace(t, "topic", "init")
	for _, want := range []string{"topic " + d.topic + ", just made", "\npartitions ", "\nthe event source of millrace-" + d.name + "-ingest: ", " --no-enabled\n"} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("%d, no %q in %q %q", code, want, stdout, stderr)
		}
	}
	code, stdout, stderr = d.millrace(t, "topic", "show", "--json")
	var r spec.TopicReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitOK || !r.Exists || r.Created || *r.Is.Partitions != 3 || *r.Is.RetentionMS != 86_400_000 || len(r.Differences) != 0 {
		t.Errorf("%d %q %q %v", code, stdout, stderr, err)
	}
	f := awsio.Function{Client: d.functions, Name: spec.ResourceName(d.name, spec.Ingest), Alias: spec.Alias}
	if s, ok, err := f.KafkaSource(t.Context(), d.topic); err != nil || !ok || s.UUID == "" || s.State == "" {
		t.Errorf("%+v %v %v", s, ok, err)
	}
	if s, ok, err := f.KafkaSource(t.Context(), "another"); err != nil || ok {
		t.Errorf("of another topic: %+v %v", s, err)
	}
}
