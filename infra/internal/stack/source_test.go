package stack

import (
	"slices"
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// source is the event source mapping with this logical id's beginning.
func (s *synthesized) source(t *testing.T, stage, id string) map[string]any {
	t.Helper()
	for got, r := range s.pipeline.of("AWS::Lambda::EventSourceMapping") {
		if len(got) == len(stage+id)+len("00000000") && got[:len(stage+id)] == stage+id {
			return r.Properties
		}
	}
	t.Fatalf("%s has no %s", stage, id)
	return nil
}

func TestQueueSources(t *testing.T) {
	for name, want := range map[string]struct{ concurrency, pollers any }{
		"aws":      {map[string]any{"MaximumConcurrency": 100.0}, nil},
		"aws-self": {nil, map[string]any{"MinimumPollers": 4.0, "MaximumPollers": 50.0}},
	} {
		s := synth(t, variations[name])
		for _, st := range spec.Stages {
			m := s.source(t, st.Name, "QueueSource")
			queue, _ := s.named(t, "AWS::SQS::Queue", "QueueName", st.Queue())
			if at(m, "EventSourceArn", "Fn::GetAtt", 0) != queue || m["BatchSize"] != float64(st.BatchSize) ||
				m["MaximumBatchingWindowInSeconds"] != st.BatchWindow.Seconds() {
				t.Errorf("%s: %s: %s", name, st.Name, text(m))
			}
			if text(m["ScalingConfig"]) != text(want.concurrency) || text(m["ProvisionedPollerConfig"]) != text(want.pollers) {
				t.Errorf("%s: %s: concurrency %s, pollers %s", name, st.Name, text(m["ScalingConfig"]), text(m["ProvisionedPollerConfig"]))
			}
		}
	}
}

// Every source invokes the alias, so that a deployment moves it, and reads partial
// failures, without which an answer that lists them acknowledges the batch.
func TestSourcesInvokeTheAliasAndReadFailures(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		sources := s.pipeline.of("AWS::Lambda::EventSourceMapping")
		want := len(spec.Stages)
		if s.deployment.Kafka != spec.KafkaNone {
			want++
		}
		if len(sources) != want {
			t.Errorf("%s: %d sources, want %d", name, len(sources), want)
		}
		for id, r := range sources {
			target, _ := at(r.Properties, "FunctionName", "Ref").(string)
			if s.pipeline.Resources[target].Type != "AWS::Lambda::Alias" {
				t.Errorf("%s: %s invokes %s", name, id, text(r.Properties["FunctionName"]))
			}
			if text(r.Properties["FunctionResponseTypes"]) != `["ReportBatchItemFailures"]` {
				t.Errorf("%s: %s: response types %s", name, id, text(r.Properties["FunctionResponseTypes"]))
			}
		}
	}
}

func TestKafkaSources(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"localstack": {
			"SelfManagedEventSource":            `{"Endpoints":{"KafkaBootstrapServers":["127.0.0.1:9092"]}}`,
			"SelfManagedKafkaEventSourceConfig": `{"ConsumerGroupId":"millrace-dev-ingest"}`,
			"SourceAccessConfigurations":        `[]`, // LocalStack refuses a mapping without
			"EventSourceArn":                    `null`, "MaximumBatchingWindowInSeconds": `null`, "MaximumRecordAgeInSeconds": `null`,
			"MaximumRetryAttempts": `-1`, "BatchSize": `1000`, "StartingPosition": `"TRIM_HORIZON"`,
		},
		"aws-self": {
			"SelfManagedEventSource": `{"Endpoints":{"KafkaBootstrapServers":["a.example.com:9096","b.example.com:9096"]}}`,
			"SourceAccessConfigurations": `[{"Type":"SASL_SCRAM_512_AUTH","URI":"` + testSecret + `"},` +
				`{"Type":"SERVER_ROOT_CA_CERTIFICATE","URI":"` + testSecret + `2"}]`,
			"MaximumBatchingWindowInSeconds": `2`, "MaximumRecordAgeInSeconds": `3600`, "MaximumRetryAttempts": `5`,
		},
		"aws-msk": {
			"EventSourceArn":                      `"` + testCluster + `"`,
			"AmazonManagedKafkaEventSourceConfig": `{"ConsumerGroupId":"millrace-dev-ingest"}`,
			"SelfManagedEventSource":              `null`, "SourceAccessConfigurations": `null`,
		},
		"aws-serverless": {"EventSourceArn": `{"Fn::ImportValue":"millrace-dev-data:ExportsOutputRefKafka40280544"}`},
		"aws-express":    {"EventSourceArn": `{"Fn::ImportValue":"millrace-dev-data:ExportsOutputRefKafka40280544"}`},
	} {
		s := synth(t, variations[name])
		m := s.source(t, spec.Ingest, "KafkaSource")
		for property, v := range want {
			if got := text(m[property]); got != v {
				t.Errorf("%s: %s is %s, want %s", name, property, got, v)
			}
		}
		failed, _ := s.named(t, "AWS::SQS::Queue", "QueueName", spec.KafkaFailed)
		if at(m, "DestinationConfig", "OnFailure", "Destination", "Fn::GetAtt", 0) != failed || m["BisectBatchOnFunctionError"] != true ||
			text(m["Topics"]) != `["events"]` || text(m["ProvisionedPollerConfig"]) != `{"MaximumPollers":10,"MinimumPollers":1}` {
			t.Errorf("%s: %s", name, text(m))
		}
	}
}

func TestFunctionURL(t *testing.T) {
	for name, n := range map[string]int{"aws": 1, "aws-self": 0} {
		s := synth(t, variations[name])
		urls := s.pipeline.of("AWS::Lambda::Url")
		if len(urls) != n || len(s.pipeline.Outputs) < n {
			t.Errorf("%s: %d URLs, outputs %v", name, len(urls), s.pipeline.Outputs)
		}
		for _, u := range urls {
			if u.Properties["AuthType"] != "AWS_IAM" || u.Properties["Qualifier"] != spec.Alias {
				t.Errorf("%s: %s", name, text(u.Properties))
			}
		}
	}
}

func TestRollout(t *testing.T) {
	for name, config := range map[string]string{
		"aws": "CodeDeployDefault.LambdaCanary10Percent5Minutes", "aws-self": "CodeDeployDefault.LambdaAllAtOnce",
		"aws-serverless": "CodeDeployDefault.LambdaLinear10PercentEvery1Minute",
	} {
		s := synth(t, variations[name])
		groups := s.pipeline.of("AWS::CodeDeploy::DeploymentGroup")
		for id, a := range s.pipeline.of("AWS::Lambda::Alias") {
			group, _ := at(a.UpdatePolicy, "CodeDeployLambdaAliasUpdate", "DeploymentGroupName", "Ref").(string)
			g := groups[group].Properties
			alarm, _ := at(g, "AlarmConfiguration", "Alarms", 0, "Name", "Ref").(string)
			if g["DeploymentConfigName"] != config || !strings.Contains(text(g["AutoRollbackConfiguration"]), "DEPLOYMENT_STOP_ON_ALARM") ||
				s.pipeline.Resources[alarm].Type != "AWS::CloudWatch::Alarm" {
				t.Errorf("%s: %s is moved by %q: %s", name, id, group, text(g))
			}
		}
		if len(groups) != len(spec.Functions()) {
			t.Errorf("%s: %d deployment groups", name, len(groups))
		}
	}
	if n := len(synth(t, variations["localstack"]).pipeline.of("AWS::CodeDeploy::DeploymentGroup")); n != 0 {
		t.Errorf("LocalStack has no CodeDeploy, and %d deployment groups are in the template", n)
	}
}

// The alarms of a stage that a bad release sets off roll it back, but all at once looks at
// none that may be in ALARM already: so a release that mends something can be deployed.
func TestRollbackAlarms(t *testing.T) {
	for _, name := range rollbackAlarms {
		if a, ok := spec.AlarmByName(name); !ok || len(a.When) != 1 {
			t.Errorf("%s: there %v, and it is to have one condition: CodeDeploy takes metric alarms", name, ok)
		}
	}
	for variation, want := range map[string][]string{
		"aws":      {"-error-rate-critical", "-error-rate-elevated", "-error-rate-high", "-function-duration", "-function-errors", "-rollout-errors"},
		"aws-self": {"-rollout-errors"},
	} {
		s := synth(t, variations[variation])
		for _, st := range spec.Stages {
			_, group := s.named(t, "AWS::CodeDeploy::DeploymentGroup", "DeploymentGroupName", st.Name)
			var got []string
			for _, a := range list(at(group, "AlarmConfiguration", "Alarms")) {
				id, _ := at(a, "Name", "Ref").(string)
				name, _ := s.pipeline.Resources[id].Properties["AlarmName"].(string)
				got = append(got, strings.TrimPrefix(name, spec.ResourceName("dev", st.Name)))
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %s is rolled back by %q, want %q", variation, st.Name, got, want)
			}
		}
	}
}
