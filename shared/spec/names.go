package spec

import "strings"

// Names of what is deployed. Infrastructure creates resources by these names, and the
// command line finds them by the same ones; env is the setting Env.

// Alias is the name of the alias of each function that event sources invoke: a deployment
// moves it to the new version, a rollback moves it back.
const Alias = "live"

// Queues besides those of Stages.
const (
	// KafkaFailed is where Lambda reports batches of Kafka records that it gave up on: the
	// messages hold offsets, not records (AWS Lambda Developer Guide, "Capturing discarded
	// batches for Amazon MSK and self-managed Apache Kafka event sources").
	KafkaFailed = "kafka-failed"
	// Pages receives a copy of every page, for `millrace alarms test` and for tests.
	Pages = "pages"
)

// Undelivered is the dead-letter queue of the subscription between the topic and the
// queue of a stage: what SNS could not hand over.
//
// With raw delivery its messages have the body and the attributes that they would have had
// in the queue of the stage, and nothing says why each is there (Amazon SNS Developer Guide,
// "Amazon SNS dead-letter queues"; LocalStack does the same).
func (s Stage) Undelivered() string { return s.Name + "-undelivered" }

// HasTopic says that what comes to the stage comes by a topic, which may have Undelivered
// messages: to all but the first, whose queue is a door.
func (s Stage) HasTopic() bool { return s.Name != Ingest }

// ResourceName of a queue, a topic or a function: "millrace-prod-process-dlq". A topic
// and a function have the name of their stage: what is published to the topic
// "millrace-prod-process" is for the stage process.
func ResourceName(env, name string) string { return "millrace-" + env + "-" + name }

// BucketName of a bucket: names of buckets are unique among all accounts, so the
// account and the region are part of it.
func BucketName(env, name, account, region string) string {
	return strings.ToLower(ResourceName(env, name)) + "-" + account + "-" + region
}

// Buckets.
const (
	ClaimsBucket = "claims" // bodies of messages that are too large (claim check)
	BackupBucket = "backup"
)

// SecretName of a secret in AWS Secrets Manager: "millrace/prod/mongodb-uri".
func SecretName(env, name string) string { return "millrace/" + env + "/" + name }

// Secrets.
const (
	MongoSecret        = "mongodb-uri"   // the connection string of the event store
	PseudonymKeySecret = "pseudonym-key" // the setting PseudonymKey
)

// Stacks. Data outlives Pipeline.
const (
	DataStack     = "data"
	PipelineStack = "pipeline"
)
