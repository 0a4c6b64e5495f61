package spec

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What a deployment sets is what monitor reads.
func TestTopicSettingsAsVariables(t *testing.T) {
	for _, s := range []TopicSettings{
		{}, {Partitions: 12, Retention: 168 * time.Hour}, {Partitions: 1, Replication: 3, MinInsync: 2, Retention: 90 * time.Minute},
	} {
		vars := s.Vars()
		got, err := LoadTopicSettings(func(name string) string { return vars[name] })
		if err != nil || got != s {
			t.Errorf("%+v: got %+v, %v", s, got, err)
		}
	}
	_, err := LoadTopicSettings(func(name string) string { return "-1" })
	for _, name := range []string{KafkaPartitionsVar, KafkaReplicationVar, KafkaMinInsyncVar, KafkaRetentionVar} {
		if err == nil || !strings.Contains(err.Error(), name+`: "-1" is not a`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMonitorKafkaVars(t *testing.T) {
	topic := []string{KafkaGroupVar, KafkaPartitionsVar, KafkaRetentionVar, KafkaTopicVar}
	for name, c := range map[string]struct {
		context map[string]any
		further []string
	}{
		"self":  {map[string]any{"kafka": "self", "kafkaBootstrapServers": "b:9096", "kafkaSaslSecretArn": testSecret}, []string{KafkaBrokersVar, KafkaSASLVar, KafkaSecretVar}},
		"given": {map[string]any{"kafka": "msk", "kafkaClusterArn": testCluster, "vpc": "new", "kafkaReplication": "3", "kafkaMinInsync": "2"}, []string{KafkaClusterVar, KafkaSASLVar, KafkaReplicationVar, KafkaMinInsyncVar}},
		// It cannot be reached, but monitor can say how the topic is made.
		"outside": {map[string]any{"kafka": "msk", "kafkaClusterArn": testCluster}, nil},
	} {
		d := load(t, c.context)
		var got []string
		for v := range d.MonitorKafkaVars() {
			got = append(got, v)
		}
		slices.Sort(got)
		want := append(slices.Clone(topic), c.further...)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if d := load(t, nil); d.MonitorKafkaVars() != nil {
		t.Errorf("without Kafka: %v", d.MonitorKafkaVars())
	}
}

func TestTopicDifferences(t *testing.T) {
	n := func(n int64) *int64 { return &n }
	tools := KafkaTools{Brokers: "b1:9096,b2:9096", Secured: true}
	s := TopicSettings{Partitions: 12, Replication: 3, MinInsync: 2, Retention: 24 * time.Hour}
	for name, c := range map[string]struct {
		is   TopicState
		want []TopicDifference
	}{
		"none":    {s.State(), []TopicDifference{}},
		"unknown": {TopicState{Partitions: n(12), Replication: n(3)}, []TopicDifference{}},
		"fewer partitions": {TopicState{Partitions: n(4)}, []TopicDifference{{"kafkaPartitions", 4, 12,
			"kafka-topics.sh --bootstrap-server b1:9096,b2:9096 --command-config client.properties --alter --topic t --partitions 12",
			"keys move to other partitions, so that a newer event of a key can overtake one that still waits: do it while the consumer lag is 0"}}},
		"more partitions": {TopicState{Partitions: n(24)}, []TopicDifference{{"kafkaPartitions", 24, 12, "", "Kafka takes no partition away: change the setting instead"}}},
		"without limit": {TopicState{RetentionMS: n(-1)}, []TopicDifference{{"kafkaRetention", -1, 86400000,
			"kafka-configs.sh --bootstrap-server b1:9096,b2:9096 --command-config client.properties --alter --entity-type topics --entity-name t --add-config retention.ms=86400000",
			"the brokers then delete records older than 1d0h, whether they were read or not"}}},
		"shorter": {TopicState{RetentionMS: n(3600000)}, []TopicDifference{{"kafkaRetention", 3600000, 86400000,
			"kafka-configs.sh --bootstrap-server b1:9096,b2:9096 --command-config client.properties --alter --entity-type topics --entity-name t --add-config retention.ms=86400000", ""}}},
		"in sync": {TopicState{MinInsync: n(1)}, []TopicDifference{{"kafkaMinInsync", 1, 2,
			"kafka-configs.sh --bootstrap-server b1:9096,b2:9096 --command-config client.properties --alter --entity-type topics --entity-name t --add-config min.insync.replicas=2", ""}}},
	} {
		if got := s.Differences("t", &c.is, tools); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%+v\nwant\n%+v", name, got, c.want)
		}
	}
}
