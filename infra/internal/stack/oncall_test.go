package stack

import (
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

func TestOnCallKnowsTheTopics(t *testing.T) {
	s := synth(t, variations["aws"])
	vars := at(s.function(t, spec.OnCall), "Environment", "Variables")
	for _, name := range spec.PageTopics() {
		if topic, _ := s.named(t, "AWS::SNS::Topic", "TopicName", name); at(vars, spec.PageTopicVar(name), "Ref") != topic {
			t.Errorf("%s is %s", spec.PageTopicVar(name), text(at(vars, spec.PageTopicVar(name))))
		}
	}
	if bucket := text(at(vars, spec.ClaimsVar)); !strings.Contains(bucket, "Claims") {
		t.Errorf("the open pages are in %s", bucket)
	}
	f := s.function(t, spec.OnCall)
	if f["Timeout"] != spec.OnCallTimeout.Seconds() || f["MemorySize"] != float64(spec.OnCallMemory) {
		t.Errorf("timeout %v, memory %v", f["Timeout"], f["MemorySize"])
	}
}

// What on-call could not be told, and what it failed on, is in its dead-letter queue.
func TestOnCallDeadLetters(t *testing.T) {
	s := synth(t, variations["aws"])
	dead, _ := s.named(t, "AWS::SQS::Queue", "QueueName", "on-call-dlq")
	topic, _ := s.named(t, "AWS::SNS::Topic", "TopicName", spec.AlarmsTopic)
	found := 0
	for _, r := range s.pipeline.of("AWS::SNS::Subscription") {
		if at(r.Properties, "TopicArn", "Ref") == topic && at(r.Properties, "RedrivePolicy", "deadLetterTargetArn", "Fn::GetAtt", 0) == dead {
			found++
		}
	}
	for _, r := range s.pipeline.of("AWS::Lambda::EventInvokeConfig") {
		if r.Properties["Qualifier"] == spec.Alias && at(r.Properties, "DestinationConfig", "OnFailure", "Destination", "Fn::GetAtt", 0) == dead {
			found++
		}
	}
	if found != 2 {
		t.Errorf("%d of the two ways into %s are there", found, dead)
	}
}

// A page must not depend on a network.
func TestOnCallIsInNoVPC(t *testing.T) {
	for _, name := range []string{"aws-msk", "aws-serverless"} {
		s := synth(t, variations[name])
		for _, function := range spec.Functions() {
			if inside := s.function(t, function)["VpcConfig"] != nil; inside != (function != spec.OnCall) {
				t.Errorf("%s: %s in a VPC: %v", name, function, inside)
			}
		}
	}
}

// A schedule invokes the alias of each function that has one, as often as the table says.
func TestSchedules(t *testing.T) {
	s := synth(t, variations["aws"])
	for function, rate := range map[string]string{spec.OnCall: "rate(1 minute)", spec.Monitor: "rate(1 minute)", spec.Redrive: "rate(5 minutes)"} {
		id, rule := s.named(t, "AWS::Events::Rule", "Name", function)
		target, _ := at(rule, "Targets", 0, "Arn", "Ref").(string)
		if rule["ScheduleExpression"] != rate || rule["State"] != "ENABLED" || s.pipeline.Resources[target].Type != "AWS::Lambda::Alias" {
			t.Errorf("%s: %s", function, text(rule))
		}
		allowed := false
		for _, p := range s.pipeline.of("AWS::Lambda::Permission") {
			allowed = allowed || p.Properties["Principal"] == "events.amazonaws.com" && at(p.Properties, "FunctionName", "Ref") == target &&
				at(p.Properties, "SourceArn", "Fn::GetAtt", 0) == id
		}
		if !allowed {
			t.Errorf("EventBridge may not invoke %s", function)
		}
	}
}
