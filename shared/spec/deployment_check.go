package spec

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// only says with which value of another setting a setting means something: given
// without it, something else was meant.
var only = []struct {
	key, with string
	values    []string
}{
	{"kafkaClusterArn", "kafka", []string{KafkaMSK}},
	{"kafkaBootstrapServers", "kafka", []string{KafkaSelf}},
	{"kafkaSaslSecretArn", "kafka", []string{KafkaSelf}},
	{"kafkaCaSecretArn", "kafka", []string{KafkaSelf}},
	{"kafkaCreate", "kafka", []string{KafkaCreate}},
	{"kafkaInstance", "kafkaCreate", []string{CreateExpress}},
	{"kafkaTopic", "kafka", []string{KafkaSelf, KafkaMSK, KafkaCreate}},
	{"kafkaPartitions", "kafka", []string{KafkaSelf, KafkaMSK, KafkaCreate}},
	{"kafkaRetention", "kafka", []string{KafkaSelf, KafkaMSK, KafkaCreate}},
	// Amazon MSK Developer Guide, "Configuration properties for MSK Serverless clusters" and
	// "Topic-level configurations on Express Brokers": both are MSK's own there.
	{"kafkaReplication", "kafka", []string{KafkaSelf, KafkaMSK}},
	{"kafkaMinInsync", "kafka", []string{KafkaSelf, KafkaMSK}},
	{"kafkaGroup", "kafka", []string{KafkaSelf, KafkaMSK, KafkaCreate}},
	{"kafkaStartingPosition", "kafka", []string{KafkaSelf, KafkaMSK, KafkaCreate}},
	{"kafkaBatchSize", "kafka", []string{KafkaSelf, KafkaMSK, KafkaCreate}},
	{"kafkaBatchWindow", "kafka", []string{KafkaSelf, KafkaMSK, KafkaCreate}},
	{"kafkaPollersMin", "kafka", []string{KafkaSelf, KafkaMSK, KafkaCreate}},
	{"kafkaPollersMax", "kafka", []string{KafkaSelf, KafkaMSK, KafkaCreate}},
	{"kafkaRetries", "kafka", []string{KafkaSelf, KafkaMSK, KafkaCreate}},
	{"kafkaRecordAge", "kafka", []string{KafkaSelf, KafkaMSK, KafkaCreate}},
}

// contradictions are settings that are each allowed, but not together. set is what was
// given.
func (d *Deployment) contradictions(set map[string]string) []error {
	var errs []error
	wrong := func(is bool, key, format string, args ...any) {
		if is {
			errs = append(errs, &settingError{key, fmt.Errorf(format, args...)})
		}
	}
	chosen := map[string]string{"kafka": d.Kafka, "kafkaCreate": d.KafkaCreate}
	for _, o := range only {
		wrong(set[o.key] != "" && !slices.Contains(o.values, chosen[o.with]), o.key,
			"means something only with %s=%s, and that is %s", o.with, strings.Join(o.values, " or "), chosen[o.with])
	}
	d.kafkaContradictions(wrong)

	wrong(set["pseudonymKey"] != "", "pseudonymKey", "a secret is not given here: put it into the secret %s", SecretName(d.Settings.Env, PseudonymKeySecret))
	wrong(d.Settings.RetryBase > d.Settings.RetryMax, "retryBase", "%v is more than retryMax, %v", d.Settings.RetryBase, d.Settings.RetryMax)
	wrong(d.Settings.ClaimBytes > maxTopicMessage-attributeRoom, "claimBytes", "a topic takes messages of at most %s, attributes included: at most 250KiB", formatBytes(maxTopicMessage))
	wrong(d.VPC != VPCNew && d.Kafka != KafkaCreate && d.NATGateways > 0, "natGateways", "only a new VPC gets them: vpc=new or kafka=create")
	wrong(d.MaxConcurrency == 1, "maxConcurrency", "1 is too few: Lambda takes 2 to 1000, or 0 for no limit")
	wrong(d.PollersMin == 1, "pollersMin", "1 is too few: Lambda takes 2 to 200, or 0 for its standard mode")
	wrong(d.PollersMin > d.PollersMax, "pollersMin", "%d is more than pollersMax, %d", d.PollersMin, d.PollersMax)
	wrong(set["pollersMax"] != "" && d.PollersMin == 0, "pollersMax", "means something only with pollersMin")
	wrong(d.PollersMin > 0 && d.MaxConcurrency > 0, "maxConcurrency", "Lambda does not take it together with pollersMin")
	wrong(d.ReservedConcurrency > 0 && d.MaxConcurrency > d.ReservedConcurrency, "maxConcurrency",
		"%d is more than reservedConcurrency, %d: what is polled would be throttled", d.MaxConcurrency, d.ReservedConcurrency)
	wrong(d.LocalStack() && d.Rollout != RolloutAtOnce, "rollout", "LocalStack has no CodeDeploy: only all-at-once")
	wrong(!d.LocalStack() && d.AlarmShorten > 1, "alarmShorten", "only for LocalStack: on AWS an alarm with a shorter period would judge missing data")
	d.endpointContradictions(wrong)
	wrong(d.LocalStack() && d.VPC != VPCNone, "vpc", "LocalStack runs functions outside of any VPC")
	return errs
}

func (d *Deployment) kafkaContradictions(wrong func(is bool, key, format string, args ...any)) {
	wrong(d.Kafka == KafkaSelf && len(d.KafkaBootstrapServers) == 0, "kafka", "self needs kafkaBootstrapServers")
	wrong(d.Kafka == KafkaMSK && d.KafkaClusterARN == "", "kafka", "msk needs kafkaClusterArn")
	wrong(d.LocalStack() && d.Kafka == KafkaCreate, "kafka", "LocalStack cannot create a cluster: use self with the bootstrap servers of a Kafka that runs")
	// AWS Lambda Developer Guide, "Configuring self-managed Apache Kafka event sources":
	// brokers are reached over the internet, with authentication, or in a VPC.
	wrong(!d.LocalStack() && d.Kafka == KafkaSelf && d.KafkaSASLSecretARN == "" && d.VPC == VPCNone,
		"kafka", "self on AWS needs kafkaSaslSecretArn, or a vpc in which the brokers are")
	wrong(d.KafkaPollersMin > d.KafkaPollersMax, "kafkaPollersMin", "%d is more than kafkaPollersMax, %d", d.KafkaPollersMin, d.KafkaPollersMax)
	wrong(d.KafkaBatchWindow%time.Second != 0, "kafkaBatchWindow", "%v is not in whole seconds", d.KafkaBatchWindow)
	wrong(d.KafkaRetention%time.Second != 0, "kafkaRetention", "%v is not in whole seconds", d.KafkaRetention)
	wrong(d.KafkaReplication > 0 && d.KafkaMinInsync > d.KafkaReplication, "kafkaMinInsync",
		"%d is more than kafkaReplication, %d: a producer with acks=all could write nothing", d.KafkaMinInsync, d.KafkaReplication)
	wrong(d.KafkaRecordAge%time.Second != 0, "kafkaRecordAge", "%v is not in whole seconds", d.KafkaRecordAge)
}

const (
	// maxTopicMessage is the most a message of a topic may have, without
	// MaximumMessageSize (Amazon SNS API reference, Publish).
	maxTopicMessage = 256 << 10
	attributeRoom   = 6 << 10 // for the attributes of a pack
)
