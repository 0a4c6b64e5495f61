package wire

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/millrace-pipeline/millrace/shared/monitor"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func unsetMonitor(t *testing.T) {
	t.Helper()
	for _, v := range []string{
		spec.MongoSecretVar, mongoVar, spec.KafkaBrokersVar, spec.KafkaTopicVar, spec.KafkaGroupVar,
		spec.KafkaSASLVar, spec.KafkaSecretVar, spec.KafkaCASecretVar,
		spec.KafkaPartitionsVar, spec.KafkaReplicationVar, spec.KafkaMinInsyncVar, spec.KafkaRetentionVar,
	} {
		t.Setenv(v, "")
	}
}

func TestMonitorSaysWhatIsWrong(t *testing.T) {
	for want, set := range map[string]map[string]string{
		"neither of the environment variables MONGODB_URI_SECRET and MONGODB_URI is set": nil,
		"the environment variable KAFKA_TOPIC is not set":                                {mongoVar: "mongodb://x", spec.KafkaBrokersVar: "b:9092", spec.KafkaGroupVar: "g"},
		`KAFKA_BROKERS: kafka broker "b" is not HOST:PORT`:                               {mongoVar: "mongodb://x", spec.KafkaBrokersVar: "b", spec.KafkaGroupVar: "g", spec.KafkaTopicVar: "t"},
		`KAFKA_RETENTION: "7 days" is not a duration such as 168h`:                       {mongoVar: "mongodb://x", spec.KafkaRetentionVar: "7 days"},
		`SASL mechanism "SCRAM" is not known`:                                            {mongoVar: "mongodb://x", spec.KafkaBrokersVar: "b:1", spec.KafkaGroupVar: "g", spec.KafkaTopicVar: "t", spec.KafkaSASLVar: "SCRAM"},
	} {
		t.Run(want, func(t *testing.T) {
			unsetMonitor(t)
			for k, v := range set {
				t.Setenv(k, v)
			}
			if _, err := Monitor(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A store and a Kafka that do not answer when the function starts are no reason not to
// start; and a Kafka that answers is measured.
func TestMonitorStartsWithoutItsDependencies(t *testing.T) {
	unsetMonitor(t)
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "events"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Setenv(mongoVar, nobodysMongo)
	t.Setenv(spec.KafkaBrokersVar, strings.Join(c.ListenAddrs(), ","))
	t.Setenv(spec.KafkaTopicVar, "events")
	t.Setenv(spec.KafkaGroupVar, "g")
	h, err := Monitor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := h(t.Context(), []byte(`{}`)); err != nil || string(answer) != "null" {
		t.Errorf("%s %v", answer, err)
	}
	k, err := kafkaOf(t.Context(), strings.Join(c.ListenAddrs(), ","))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if got, err := k.Health(t.Context()); err != nil || got != (monitor.KafkaHealth{}) {
		t.Errorf("%+v %v", got, err)
	}
}

const nobodysMongo = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200&connectTimeoutMS=200"

// Asked for it, monitor makes the topic with what the deployment set.
func TestMonitorMakesTheTopic(t *testing.T) {
	unsetMonitor(t)
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d, err := spec.LoadDeployment(map[string]any{
		"target": "localstack", "kafka": "self", "kafkaBootstrapServers": c.ListenAddrs()[0], "kafkaTopic": "orders", "kafkaPartitions": "5", "kafkaRetention": "24h",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(mongoVar, nobodysMongo)
	for name, value := range d.MonitorKafkaVars() {
		t.Setenv(name, value)
	}
	h, err := Monitor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k, err := kafkaOf(t.Context(), c.ListenAddrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if _, err := k.Health(t.Context()); err == nil || !strings.Contains(err.Error(), "`millrace topic init` makes the topic") {
		t.Errorf("without the topic: %v", err)
	}
	answer, err := h(t.Context(), []byte(`{"topic":"init"}`))
	want := `{"topic":{"topic":"orders","exists":true,"created":true,"is":{"partitions":5,"replication_factor":1,"min_insync_replicas":1,"retention_ms":86400000},`
	if err != nil || !strings.HasPrefix(string(answer), want) {
		t.Errorf("%s %v", answer, err)
	}
}

func TestMonitorSaysWhyThereIsNoTopic(t *testing.T) {
	for _, c := range []struct{ topic, want string }{
		{"", "this deployment reads no Kafka: -c kafka=self, msk or create gives it one"},
		{"orders", "kafka-topics.sh --bootstrap-server BOOTSTRAP --command-config client.properties --create --if-not-exists --topic orders --partitions 7"},
	} {
		unsetMonitor(t)
		t.Setenv(mongoVar, nobodysMongo)
		t.Setenv(spec.KafkaTopicVar, c.topic)
		t.Setenv(spec.KafkaPartitionsVar, "7")
		h, err := Monitor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := h(t.Context(), []byte(`{"topic":"show"}`)); err != nil || !strings.Contains(string(answer), c.want) || !strings.HasPrefix(string(answer), `{"refused":`) {
			t.Errorf("%s %v", answer, err)
		}
	}
}
