package stack

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// named finds the resource of a type whose property is the deployment's name of what.
func (s *synthesized) named(t *testing.T, kind, property, what string) (string, map[string]any) {
	t.Helper()
	for id, r := range s.pipeline.of(kind) {
		if r.Properties[property] == spec.ResourceName(s.deployment.Settings.Env, what) {
			return id, r.Properties
		}
	}
	t.Fatalf("there is no %s %s", kind, what)
	return "", nil
}

func TestQueues(t *testing.T) {
	s := synth(t, variations["aws"])
	for _, st := range spec.Stages {
		deadID, dead := s.named(t, "AWS::SQS::Queue", "QueueName", st.DLQ())
		_, queue := s.named(t, "AWS::SQS::Queue", "QueueName", st.Queue())
		if at(queue, "RedrivePolicy", "maxReceiveCount") != float64(st.MaxReceives) ||
			at(queue, "RedrivePolicy", "deadLetterTargetArn", "Fn::GetAtt", 0) != deadID {
			t.Errorf("%s: redrive policy %s", st.Name, text(queue["RedrivePolicy"]))
		}
		if queue["VisibilityTimeout"] != st.Visibility().Seconds() {
			t.Errorf("%s: visibility timeout %v", st.Name, queue["VisibilityTimeout"])
		}
		if at(dead, "RedriveAllowPolicy", "redrivePermission") != "byQueue" ||
			at(dead, "RedriveAllowPolicy", "sourceQueueArns", 0) != "arn:aws:sqs:eu-west-1:123456789012:"+spec.ResourceName("dev", st.Queue()) {
			t.Errorf("%s: redrive allow policy %s", st.DLQ(), text(dead["RedriveAllowPolicy"]))
		}
	}
	kept := []string{spec.Quarantine, spec.KafkaFailed, spec.Stage{Name: spec.OnCall}.DLQ()}
	for _, st := range spec.Stages {
		kept = append(kept, st.DLQ())
		if st.HasTopic() {
			kept = append(kept, st.Undelivered())
		}
	}
	for _, name := range kept {
		if _, q := s.named(t, "AWS::SQS::Queue", "QueueName", name); q["MessageRetentionPeriod"] != spec.DLQRetention.Seconds() {
			t.Errorf("%s keeps messages for %v s", name, q["MessageRetentionPeriod"])
		}
	}
	others := len(spec.Stages) + 1 // the queue of the pages
	if n := len(s.pipeline.of("AWS::SQS::Queue")); n != len(kept)+others {
		t.Errorf("%d queues", n)
	}
}

func TestTopics(t *testing.T) {
	s := synth(t, variations["aws"])
	pages := len(spec.PageTopics()) + 1 // the topic of the alarms
	if n := len(s.pipeline.of("AWS::SNS::Topic")); n != len(spec.Stages)-1+pages {
		t.Errorf("%d topics: all stages but ingest have one", n)
	}
	stages := 0
	for id, sub := range s.pipeline.of("AWS::SNS::Subscription") {
		if strings.HasPrefix(id, "Pages") || strings.HasPrefix(id, "oncall") {
			continue // TestPageSubscriptions
		}
		stages++
		p := sub.Properties
		topic, _ := at(p, "TopicArn", "Ref").(string)
		stage := strings.TrimPrefix(s.pipeline.Resources[topic].Properties["TopicName"].(string), "millrace-dev-")
		st, ok := spec.StageByName(stage)
		if !ok {
			t.Fatalf("topic %s of no stage", stage)
		}
		queue, _ := s.named(t, "AWS::SQS::Queue", "QueueName", st.Queue())
		undelivered, _ := s.named(t, "AWS::SQS::Queue", "QueueName", st.Undelivered())
		if p["Protocol"] != "sqs" || p["RawMessageDelivery"] != true || at(p, "Endpoint", "Fn::GetAtt", 0) != queue ||
			at(p, "RedrivePolicy", "deadLetterTargetArn", "Fn::GetAtt", 0) != undelivered {
			t.Errorf("subscription of %s: %s", stage, text(p))
		}
	}
	if stages != len(spec.Stages)-1 {
		t.Errorf("%d subscriptions", stages)
	}
}

func TestFunctions(t *testing.T) {
	for name, architecture := range map[string]string{"aws": "arm64", "localstack": "x86_64"} {
		s := synth(t, variations[name])
		for _, st := range spec.Stages {
			f := s.function(t, st.Name)
			if f["Runtime"] != "provided.al2023" || f["Handler"] != "bootstrap" || at(f, "Architectures", 0) != architecture ||
				f["MemorySize"] != float64(st.Memory) || f["Timeout"] != st.Timeout.Seconds() || f["ReservedConcurrentExecutions"] != nil {
				t.Errorf("%s: %s: %s", name, st.Name, text(f))
			}
		}
		for id, v := range s.pipeline.of("AWS::Lambda::Version") {
			if v.DeletionPolicy != "Retain" {
				t.Errorf("%s: %s is deleted, there would be nothing to roll back to", name, id)
			}
		}
		for id, a := range s.pipeline.of("AWS::Lambda::Alias") {
			if a.Properties["Name"] != spec.Alias {
				t.Errorf("%s: %s is called %v", name, id, a.Properties["Name"])
			}
		}
		if n := len(s.pipeline.of("AWS::Logs::LogGroup")); n != len(spec.Functions()) {
			t.Errorf("%s: %d log groups", name, n)
		}
		for id, g := range s.pipeline.of("AWS::Logs::LogGroup") {
			if g.Properties["RetentionInDays"] != float64(s.deployment.LogRetentionDays) {
				t.Errorf("%s: %s keeps for %v days", name, id, g.Properties["RetentionInDays"])
			}
		}
	}
	reserved := synth(t, variations["aws-self"])
	if n := reserved.function(t, spec.Persist)["ReservedConcurrentExecutions"]; n != 200.0 {
		t.Errorf("reservedConcurrency=200: %v", n)
	}
}

// A function's variables are what functions/internal/wire reads, no more and no less,
// and none of them holds a secret.
func TestEnvironment(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		for _, function := range spec.Functions() {
			vars, _ := at(s.function(t, function), "Environment", "Variables").(map[string]any)
			want := spec.FunctionVars(function)
			want = append(want, slices.Collect(maps.Keys(s.deployment.Variables))...)
			if function == spec.Monitor {
				want = append(want, slices.Collect(maps.Keys(s.deployment.MonitorKafkaVars()))...)
			}
			slices.Sort(want)
			if got := slices.Sorted(maps.Keys(vars)); !slices.Equal(got, want) {
				t.Errorf("%s: %s has %v, want %v", name, function, got, want)
			}
			for variable, value := range vars {
				if v := text(value); v == `""` || strings.Contains(v, "{{resolve:") {
					t.Errorf("%s: %s of %s is %s", name, variable, function, v)
				}
			}
		}
	}
}

func TestEnvironmentNamesTheRightResources(t *testing.T) {
	s := synth(t, variations["aws"])
	for _, st := range spec.Stages {
		vars := at(s.function(t, st.Name), "Environment", "Variables")
		queue, _ := s.named(t, "AWS::SQS::Queue", "QueueName", st.Queue())
		dead, _ := s.named(t, "AWS::SQS::Queue", "QueueName", st.DLQ())
		if at(vars, spec.QueueVar, "Ref") != queue || at(vars, spec.DLQVar, "Ref") != dead {
			t.Errorf("%s: %s", st.Name, text(vars))
		}
		if st.Next == "" {
			continue
		}
		if topic, _ := s.named(t, "AWS::SNS::Topic", "TopicName", st.Next); at(vars, spec.NextTopicVar, "Ref") != topic {
			t.Errorf("%s publishes to %s", st.Name, text(at(vars, spec.NextTopicVar)))
		}
	}
	vars := at(s.function(t, spec.Redrive), "Environment", "Variables")
	for _, name := range spec.RedriveQueues() {
		if queue, _ := s.named(t, "AWS::SQS::Queue", "QueueName", name); at(vars, spec.QueueURLVar(name), "Ref") != queue {
			t.Errorf("%s is %s", spec.QueueURLVar(name), text(at(vars, spec.QueueURLVar(name))))
		}
	}
}
