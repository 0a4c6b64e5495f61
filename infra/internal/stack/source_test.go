package stack

import (
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

func TestRedriveSchedule(t *testing.T) {
	s := synth(t, variations["aws"])
	_, rule := s.named(t, "AWS::Events::Rule", "Name", spec.Redrive)
	target, _ := at(rule, "Targets", 0, "Arn", "Ref").(string)
	if rule["ScheduleExpression"] != "rate(5 minutes)" || rule["State"] != "ENABLED" || s.pipeline.Resources[target].Type != "AWS::Lambda::Alias" {
		t.Errorf("%s", text(rule))
	}
	allowed := false
	for _, p := range s.pipeline.of("AWS::Lambda::Permission") {
		allowed = allowed || p.Properties["Principal"] == "events.amazonaws.com" && at(p.Properties, "FunctionName", "Ref") == target
	}
	if !allowed {
		t.Error("EventBridge may not invoke it")
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
		if len(groups) != len(functions()) {
			t.Errorf("%s: %d deployment groups", name, len(groups))
		}
	}
	if n := len(synth(t, variations["localstack"]).pipeline.of("AWS::CodeDeploy::DeploymentGroup")); n != 0 {
		t.Errorf("LocalStack has no CodeDeploy, and %d deployment groups are in the template", n)
	}
}
