package spec

import (
	"strings"
	"time"
)

// Monitor is the function that measures what no invocation can (shared/monitor). It is no
// stage: a schedule invokes it. Without it the alarms that wait for its heartbeat fire.
const Monitor = "monitor"

// Of the function monitor.
const (
	MonitorTimeout = 50 * time.Second // below its schedule, MonitorEvery: one at a time
	MonitorMemory  = 256              // MiB
)

// Variables of monitor that say where Kafka is; none of them is set where monitor cannot
// reach one.
const (
	KafkaBrokersVar  = "KAFKA_BROKERS"     // bootstrap servers, HOST:PORT separated by commas
	KafkaClusterVar  = "KAFKA_CLUSTER_ARN" // instead of them: an MSK cluster, which is asked for its own
	KafkaSASLVar     = "KAFKA_SASL"        // "", AWS_MSK_IAM, or SCRAM-SHA-512 with KafkaSecretVar
	KafkaSecretVar   = "KAFKA_SASL_SECRET" // ARN of a secret {"username", "password"}; as an event source has it
	KafkaCASecretVar = "KAFKA_CA_SECRET"   // ARN of a secret {"certificate"}: a private CA; "": a public one, or no TLS
)

// Variables of monitor about the topic; none of them is set without Kafka. Those of
// TopicSettings are too.
const (
	KafkaTopicVar = "KAFKA_TOPIC" // that ingest reads
	KafkaGroupVar = "KAFKA_GROUP" // the consumer group of ingest's event source
)

// MonitorsKafka reports whether monitor can reach the Kafka that ingest reads. The brokers
// of an MSK cluster answer in its VPC only.
func (d *Deployment) MonitorsKafka() bool {
	return d.Kafka != KafkaNone && (d.Kafka != KafkaMSK || d.VPC != VPCNone)
}

// MonitorKafkaVars are those of the variables above that a deployment sets.
func (d *Deployment) MonitorKafkaVars() map[string]string {
	if d.Kafka == KafkaNone {
		return nil
	}
	vars := d.TopicSettings().Vars()
	vars[KafkaTopicVar], vars[KafkaGroupVar] = d.KafkaTopic, d.KafkaGroup
	if !d.MonitorsKafka() {
		return vars
	}
	if d.Kafka != KafkaSelf { // the ARN of a cluster that the deployment creates is not known here
		vars[KafkaClusterVar], vars[KafkaSASLVar] = d.KafkaClusterARN, "AWS_MSK_IAM"
		return vars
	}
	vars[KafkaBrokersVar] = strings.Join(d.KafkaBootstrapServers, ",")
	if d.KafkaSASLSecretARN != "" {
		vars[KafkaSASLVar], vars[KafkaSecretVar] = "SCRAM-SHA-512", d.KafkaSASLSecretARN
	}
	if d.KafkaCASecretARN != "" {
		vars[KafkaCASecretVar] = d.KafkaCASecretARN
	}
	return vars
}
