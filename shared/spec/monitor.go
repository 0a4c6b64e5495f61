package spec

import "time"

// Monitor is the function that measures what no invocation can (shared/monitor). It is no
// stage: a schedule invokes it. Without it the alarms that wait for its heartbeat fire.
const Monitor = "monitor"

// Of the function monitor.
const (
	MonitorTimeout = 50 * time.Second // below its schedule, MonitorEvery: one at a time
	MonitorMemory  = 256              // MiB
)

// Variables of monitor that say where Kafka is; none of them is set without one.
const (
	KafkaBrokersVar  = "KAFKA_BROKERS"     // bootstrap servers, HOST:PORT separated by commas
	KafkaTopicVar    = "KAFKA_TOPIC"       // that ingest reads
	KafkaGroupVar    = "KAFKA_GROUP"       // the consumer group of ingest's event source
	KafkaSASLVar     = "KAFKA_SASL"        // "", AWS_MSK_IAM, or SCRAM-SHA-512 with KafkaSecretVar
	KafkaSecretVar   = "KAFKA_SASL_SECRET" // ARN of a secret {"username", "password"}; as an event source has it
	KafkaCASecretVar = "KAFKA_CA_SECRET"   // ARN of a secret {"certificate"}: a private CA; "": a public one, or no TLS
)
