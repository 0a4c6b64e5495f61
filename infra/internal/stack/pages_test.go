package stack

import (
	"slices"
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// subscriptions of a topic as protocol and endpoint, those of queues and functions by
// their logical ids, sorted.
func (s *synthesized) subscriptions(t *testing.T, topic string) []string {
	t.Helper()
	id, _ := s.named(t, "AWS::SNS::Topic", "TopicName", topic)
	var all []string
	for _, r := range s.pipeline.of("AWS::SNS::Subscription") {
		if at(r.Properties, "TopicArn", "Ref") != id {
			continue
		}
		endpoint := text(r.Properties["Endpoint"])
		for _, path := range [][]any{{"Endpoint"}, {"Endpoint", "Ref"}, {"Endpoint", "Fn::GetAtt", 0}} {
			if e, ok := at(r.Properties, path...).(string); ok {
				endpoint = e
			}
		}
		all = append(all, r.Properties["Protocol"].(string)+" "+endpoint)
	}
	slices.Sort(all)
	return all
}

// The queue gets a copy of every page, the endpoints of the settings theirs, and on-call
// every alarm.
func TestPageSubscriptions(t *testing.T) {
	for name, endpoints := range map[string]map[string][]string{
		"aws": nil,
		"aws-self": {
			spec.PageTopic(spec.P1): {"email ann@example.com", "https https://chat.example.com/hook", "https https://events.example.com/integration/key"},
			spec.PageTopic(spec.P2): {"https https://chat.example.com/hook"}, spec.PageTopic(spec.P3): {"https https://chat.example.com/hook"},
			spec.PageTopic(spec.P4): {"https https://chat.example.com/hook"},
			spec.SecondaryTopic:     {"email bob@example.com", "https https://chat.example.com/hook"}, spec.EngineeringTopic: {"https https://chat.example.com/hook"},
		},
	} {
		s := synth(t, variations[name])
		queue, _ := s.named(t, "AWS::SQS::Queue", "QueueName", spec.Pages)
		for _, topic := range spec.PageTopics() {
			if got, want := s.subscriptions(t, topic), append(slices.Clone(endpoints[topic]), "sqs "+queue); !slices.Equal(got, want) {
				t.Errorf("%s: %s: %q, want %q", name, topic, got, want)
			}
		}
		got := s.subscriptions(t, spec.AlarmsTopic)
		if alias, ok := strings.CutPrefix(strings.Join(got, ","), "lambda "); !ok || s.pipeline.Resources[alias].Type != "AWS::Lambda::Alias" || !strings.HasPrefix(alias, "oncall") {
			t.Errorf("%s: the alarms go to %q", name, got)
		}
	}
}

// CloudWatch may publish to the topics that alarms have as actions, for alarms of this
// environment and account, and to no other.
func TestAlarmsMayPublish(t *testing.T) {
	s := synth(t, variations["aws"])
	var may []string
	for _, p := range s.pipeline.of("AWS::SNS::TopicPolicy") {
		for _, st := range list(at(p.Properties, "PolicyDocument", "Statement")) {
			if at(st, "Principal", "Service") != "cloudwatch.amazonaws.com" {
				continue
			}
			topic, _ := at(st, "Resource", "Ref").(string)
			name, _ := s.pipeline.Resources[topic].Properties["TopicName"].(string)
			may = append(may, name)
			if at(st, "Effect") != "Allow" || at(st, "Action") != "sns:Publish" || at(st, "Condition", "StringEquals", "aws:SourceAccount") != testAccount ||
				at(st, "Condition", "ArnLike", "aws:SourceArn") != "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:millrace-dev-*" {
				t.Errorf("%s: %s", name, text(st))
			}
			if topics := list(p.Properties["Topics"]); len(topics) != 1 || at(topics[0], "Ref") != topic {
				t.Errorf("the policy of %s is on %s", topic, text(topics))
			}
		}
	}
	slices.Sort(may)
	if want := []string{"millrace-dev-alarms", "millrace-dev-page-p1"}; !slices.Equal(may, want) {
		t.Errorf("alarms may publish to %q, want %q", may, want)
	}
	for _, st := range statements(s.data) {
		if st.sid == "AlarmsToTopics" {
			return
		}
	}
	t.Error("CloudWatch may not use the key of the topics")
}
