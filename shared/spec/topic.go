package spec

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TopicSettings is what the Kafka topic that ingest reads is made with. A zero leaves it
// to the brokers.
type TopicSettings struct {
	Partitions  int
	Replication int           // replicas of each partition
	MinInsync   int           // min.insync.replicas
	Retention   time.Duration // retention.ms, in whole seconds
}

// TopicSettings of the deployment.
func (d *Deployment) TopicSettings() TopicSettings {
	return TopicSettings{d.KafkaPartitions, d.KafkaReplication, d.KafkaMinInsync, d.KafkaRetention}
}

// DefaultTopicSettings are those of a deployment that chooses none.
func DefaultTopicSettings() TopicSettings {
	var d Deployment
	fill(&d, DeploymentTable, map[string]string{}, deploymentKey, false) // the defaults have no errors: TestDeploymentDefaultsAreAllowed
	return d.TopicSettings()
}

// Variables of monitor with the settings of the topic. One that is not set is left to the
// brokers.
const (
	KafkaPartitionsVar  = "KAFKA_PARTITIONS"
	KafkaReplicationVar = "KAFKA_REPLICATION"
	KafkaMinInsyncVar   = "KAFKA_MIN_INSYNC"
	KafkaRetentionVar   = "KAFKA_RETENTION" // as Go has durations: 168h0m0s
)

// Vars are the settings as variables; LoadTopicSettings reads them.
func (s TopicSettings) Vars() map[string]string {
	vars := make(map[string]string)
	for name, n := range map[string]int{
		KafkaPartitionsVar: s.Partitions, KafkaReplicationVar: s.Replication, KafkaMinInsyncVar: s.MinInsync,
	} {
		if n > 0 {
			vars[name] = strconv.Itoa(n)
		}
	}
	if s.Retention > 0 {
		vars[KafkaRetentionVar] = s.Retention.String()
	}
	return vars
}

// LoadTopicSettings reads the variables that Vars sets; getenv is os.Getenv or like it.
func LoadTopicSettings(getenv func(string) string) (TopicSettings, error) {
	var errs []error
	number := func(name string) int {
		text := getenv(name)
		if text == "" {
			return 0
		}
		n, err := strconv.ParseUint(text, 10, 15)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %q is not a whole number up to 32767", name, text))
		}
		return int(n)
	}
	s := TopicSettings{
		Partitions: number(KafkaPartitionsVar), Replication: number(KafkaReplicationVar), MinInsync: number(KafkaMinInsyncVar),
	}
	if text := getenv(KafkaRetentionVar); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			errs = append(errs, fmt.Errorf("%s: %q is not a duration such as 168h", KafkaRetentionVar, text))
		}
		s.Retention = d
	}
	return s, errors.Join(errs...)
}

// Configs are the settings that Kafka keeps as configuration of the topic, by its names
// for them (Apache Kafka documentation, "Topic Configs").
func (s TopicSettings) Configs() map[string]string {
	c := make(map[string]string)
	if s.MinInsync > 0 {
		c[TopicMinInsync] = strconv.Itoa(s.MinInsync)
	}
	if s.Retention > 0 {
		c[TopicRetention] = strconv.FormatInt(s.Retention.Milliseconds(), 10)
	}
	return c
}

// Names of a topic's configuration.
const (
	TopicMinInsync = "min.insync.replicas"
	TopicRetention = "retention.ms"
)

// KafkaTools writes the commands of Kafka's own command line tools.
type KafkaTools struct {
	Brokers string // bootstrap servers, separated by commas
	Secured bool   // by TLS or SASL: client.properties says how
}

func (t KafkaTools) command(tool string) string {
	c := tool + " --bootstrap-server " + t.Brokers
	if t.Secured {
		c += " --command-config client.properties"
	}
	return c
}

// Create is the command that makes a topic with these settings.
func (t KafkaTools) Create(topic string, s TopicSettings) string {
	c := t.command("kafka-topics.sh") + " --create --if-not-exists --topic " + topic
	if s.Partitions > 0 {
		c += fmt.Sprintf(" --partitions %d", s.Partitions)
	}
	if s.Replication > 0 {
		c += fmt.Sprintf(" --replication-factor %d", s.Replication)
	}
	configs := s.Configs()
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		c += " --config " + name + "=" + configs[name]
	}
	return c
}

// AddPartitions is the command that gives a topic more partitions, n in all.
func (t KafkaTools) AddPartitions(topic string, n int) string {
	return fmt.Sprintf("%s --alter --topic %s --partitions %d", t.command("kafka-topics.sh"), topic, n)
}

// Configure is the command that changes one configuration of a topic.
func (t KafkaTools) Configure(topic, name, value string) string {
	return strings.Join([]string{t.command("kafka-configs.sh"), "--alter --entity-type topics --entity-name", topic, "--add-config", name + "=" + value}, " ")
}
