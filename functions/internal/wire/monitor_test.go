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
	} {
		t.Setenv(v, "")
	}
}

func TestMonitorSaysWhatIsWrong(t *testing.T) {
	for want, set := range map[string]map[string]string{
		"neither of the environment variables MONGODB_URI_SECRET and MONGODB_URI is set": nil,
		"the environment variable KAFKA_TOPIC is not set":                                {mongoVar: "mongodb://x", spec.KafkaBrokersVar: "b:9092", spec.KafkaGroupVar: "g"},
		`KAFKA_BROKERS: kafka broker "b" is not HOST:PORT`:                               {mongoVar: "mongodb://x", spec.KafkaBrokersVar: "b", spec.KafkaGroupVar: "g", spec.KafkaTopicVar: "t"},
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
	t.Setenv(mongoVar, "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200&connectTimeoutMS=200")
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
