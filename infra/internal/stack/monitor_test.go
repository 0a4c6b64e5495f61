package stack

import (
	"slices"
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// monitor makes and describes the one topic that ingest reads, and may change none.
func TestMonitorMayMakeItsTopicOnly(t *testing.T) {
	for _, name := range []string{"aws-msk", "aws-serverless", "aws-express"} {
		s := synth(t, variations[name])
		var topics, actions []string
		for _, p := range list(at(s.roleOf(t, spec.Monitor), "Policies")) {
			for _, st := range list(at(p, "PolicyDocument", "Statement")) {
				for _, action := range list(at(st, "Action")) {
					if a, _ := action.(string); strings.HasPrefix(a, "kafka-cluster:") && strings.Contains(a, "Topic") {
						actions = append(actions, a)
						topics = append(topics, text(at(st, "Resource")))
					}
				}
			}
		}
		slices.Sort(actions)
		if want := []string{"kafka-cluster:CreateTopic", "kafka-cluster:DescribeTopic", "kafka-cluster:DescribeTopicDynamicConfiguration"}; !slices.Equal(actions, want) {
			t.Errorf("%s: %v, want %v", name, actions, want)
		}
		for _, topic := range topics {
			if !strings.Contains(topic, ":topic/") || !strings.Contains(topic, "/events\"") || strings.Contains(topic, "*") {
				t.Errorf("%s: on %s", name, topic)
			}
		}
	}
}

// The settings of the topic reach monitor, also where it cannot reach the brokers: it then
// says how the topic is made.
func TestMonitorHasTheSettingsOfTheTopic(t *testing.T) {
	outside := map[string]any{"architecture": "arm64", "kafka": "msk", "kafkaClusterArn": testCluster, "kafkaPartitions": "30", "kafkaRetention": "24h"}
	vars, _ := at(synth(t, outside).function(t, spec.Monitor), "Environment", "Variables").(map[string]any)
	if vars[spec.KafkaPartitionsVar] != "30" || vars[spec.KafkaRetentionVar] != "24h0m0s" || vars[spec.KafkaTopicVar] != "events" || vars[spec.KafkaClusterVar] != nil {
		t.Errorf("%v", vars)
	}
}
