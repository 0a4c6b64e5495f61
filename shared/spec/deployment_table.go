package spec

import (
	"regexp"
	"time"
)

// What texts of a deployment must look like.
var (
	topicName = &Pattern{regexp.MustCompile(`^[A-Za-z0-9._-]+$`), "letters, digits, ., _ and -"}
	groupName = &Pattern{regexp.MustCompile(`^[A-Za-z0-9_-]+$`), "letters, digits, _ and -"}
	server    = &Pattern{regexp.MustCompile(`^[A-Za-z0-9.-]+:[0-9]{1,5}$`), "a host and a port, such as broker-1.example.com:9096"}
	vpcID     = &Pattern{regexp.MustCompile(`^(none|new|vpc-[0-9a-f]{8,17})$`), "none, new or the id of a VPC, such as vpc-0a1b2c3d4e5f60718"}
	instance  = &Pattern{regexp.MustCompile(`^express\.m7g\.(large|[0-9]{0,2}xlarge)$`), "an Express broker size, such as express.m7g.large"}

	secretARN  = arn("secretsmanager", `secret:.+`, "secret:millrace/prod/kafka-AbCdEf")
	clusterARN = arn("kafka", `cluster/.+`, "cluster/events/1a2b3c4d")
	keyARN     = arn("kms", `key/.+`, "key/1a2b3c4d")
)

// arn of a resource of a service.
func arn(service, resource, example string) *Pattern {
	return &Pattern{
		regexp.MustCompile(`^arn:aws[a-z-]*:` + service + `:[a-z0-9-]+:[0-9]{12}:` + resource + `$`),
		"an ARN such as arn:aws:" + service + ":eu-west-1:123456789012:" + example,
	}
}

const (
	maxName = 200
	maxARN  = 300
	minute  = int64(time.Minute)
)

// DeploymentTable is all settings of a deployment in the order of the docs, those of the
// functions (Table) aside.
var DeploymentTable = []Row[Deployment]{
	{Name: "Target", Key: "target", Kind: Choice, Default: TargetAWS, Choices: []string{TargetAWS, TargetLocalStack},
		Meaning: "Where it is deployed.",
		into:    func(d *Deployment) any { return &d.Target }},
	{Name: "Architecture", Key: "architecture", Kind: Choice, Default: ARM64, OnLocalStack: HostMachine, Choices: []string{ARM64, AMD64, HostMachine},
		Meaning: "Processor of the functions; `host` is that of the machine that deploys. Lambda's arm64 costs a fifth less.",
		into:    func(d *Deployment) any { return &d.Architecture }},

	{Name: "Kafka", Key: "kafka", Kind: Choice, Default: KafkaNone, Choices: []string{KafkaNone, KafkaSelf, KafkaMSK, KafkaCreate},
		Meaning: "Kafka that ingest reads: `none`; `self`, any Kafka by its bootstrap servers; `msk`, an MSK cluster by its ARN, with IAM authentication; `create`, an MSK cluster that the stack Data makes.",
		into:    func(d *Deployment) any { return &d.Kafka }},
	{Name: "KafkaClusterARN", Key: "kafkaClusterArn", Kind: Text, Max: maxARN, Pattern: clusterARN,
		Meaning: "ARN of the cluster of `kafka=msk`.",
		into:    func(d *Deployment) any { return &d.KafkaClusterARN }},
	{Name: "KafkaBootstrapServers", Key: "kafkaBootstrapServers", Kind: List, Min: 1, Max: 10, Pattern: server,
		Meaning: "Bootstrap servers of `kafka=self`, as host:port.",
		into:    func(d *Deployment) any { return &d.KafkaBootstrapServers }},
	{Name: "KafkaTopic", Key: "kafkaTopic", Kind: Text, Default: "events", Min: 1, Max: 249, Pattern: topicName,
		Meaning: "Topic that ingest reads. `millrace topic init` makes it where it is missing, with the four settings that follow; one that is there is left as it is.",
		into:    func(d *Deployment) any { return &d.KafkaTopic }},
	{Name: "KafkaPartitions", Key: "kafkaPartitions", Kind: Integer, Default: "12", Min: 1, Max: 10000,
		Meaning: "Partitions of the topic. Each is read at up to 5 MB/s, so 12 carry 100,000 events/s of 0.5 KB; more can be added later, but then keys move to other partitions.",
		into:    func(d *Deployment) any { return &d.KafkaPartitions }},
	{Name: "KafkaReplication", Key: "kafkaReplication", Kind: Integer, Default: "0", Min: 0, Max: 10,
		Meaning: "Replicas of each partition; 0 is the brokers' own default. MSK Serverless and Express always keep 3.",
		into:    func(d *Deployment) any { return &d.KafkaReplication }},
	{Name: "KafkaMinInsync", Key: "kafkaMinInsync", Kind: Integer, Default: "0", Min: 0, Max: 10,
		Meaning: "Replicas that must have a record before it counts as written (min.insync.replicas, for producers with acks=all); 0 is the brokers' own default. One less than kafkaReplication lets a broker fail. MSK Serverless and Express set it themselves.",
		into:    func(d *Deployment) any { return &d.KafkaMinInsync }},
	{Name: "KafkaRetention", Key: "kafkaRetention", Kind: Duration, Default: "168h", Min: 60 * minute, Max: 3650 * 24 * 60 * minute,
		Meaning: "How long the topic keeps records (retention.ms), in whole seconds, and so how long ingest may be away before it loses one.",
		into:    func(d *Deployment) any { return &d.KafkaRetention }},
	{Name: "KafkaGroup", Key: "kafkaGroup", Kind: Text, Min: 1, Max: maxName, Pattern: groupName,
		Meaning: "Consumer group; without one it is `millrace-<env>-ingest`. A change makes a new event source, which starts at kafkaStartingPosition.",
		into:    func(d *Deployment) any { return &d.KafkaGroup }},
	{Name: "KafkaSASLSecretARN", Key: "kafkaSaslSecretArn", Kind: Text, Max: maxARN, Pattern: secretARN,
		Meaning: "Secret with username and password for SASL/SCRAM-512, with `kafka=self`.",
		into:    func(d *Deployment) any { return &d.KafkaSASLSecretARN }},
	{Name: "KafkaCASecretARN", Key: "kafkaCaSecretArn", Kind: Text, Max: maxARN, Pattern: secretARN,
		Meaning: "Secret with the certificate of a private CA of the brokers, with `kafka=self`.",
		into:    func(d *Deployment) any { return &d.KafkaCASecretARN }},
	{Name: "KafkaCreate", Key: "kafkaCreate", Kind: Choice, Default: CreateServerless, Choices: []string{CreateServerless, CreateExpress},
		Meaning: "What `kafka=create` makes: MSK Serverless, or three Express brokers.",
		into:    func(d *Deployment) any { return &d.KafkaCreate }},
	{Name: "KafkaInstance", Key: "kafkaInstance", Kind: Text, Default: "express.m7g.large", Min: 1, Max: maxName, Pattern: instance,
		Meaning: "Size of Express brokers. A large one sustains 15.6 MB/s in, each next size twice that.",
		into:    func(d *Deployment) any { return &d.KafkaInstance }},
	{Name: "KafkaStartingPosition", Key: "kafkaStartingPosition", Kind: Choice, Default: "TRIM_HORIZON", Choices: []string{"TRIM_HORIZON", "LATEST"},
		Meaning: "Where a consumer group that is new starts: the oldest record or the next.",
		into:    func(d *Deployment) any { return &d.KafkaStartingPosition }},
	{Name: "KafkaBatchSize", Key: "kafkaBatchSize", Kind: Integer, Default: "1000", Min: 1, Max: 10000,
		Meaning: "Most records of one invocation of ingest. Lambda cuts at 6 MB.",
		into:    func(d *Deployment) any { return &d.KafkaBatchSize }},
	{Name: "KafkaBatchWindow", Key: "kafkaBatchWindow", Kind: Duration, Min: int64(time.Second), Max: 5 * minute,
		Meaning: "Longest wait for a full batch, in whole seconds. Without one it is Lambda's own, 500 ms, which cannot be restored later.",
		into:    func(d *Deployment) any { return &d.KafkaBatchWindow }},
	{Name: "KafkaPollersMin", Key: "kafkaPollersMin", Kind: Integer, Default: "1", Min: 1, Max: 200,
		Meaning: "Least Kafka pollers (provisioned mode; the others lose partial failures). Each reads up to 5 MB/s.",
		into:    func(d *Deployment) any { return &d.KafkaPollersMin }},
	{Name: "KafkaPollersMax", Key: "kafkaPollersMax", Kind: Integer, Default: "10", Min: 1, Max: 2000,
		Meaning: "Most Kafka pollers; more than partitions are of no use.",
		into:    func(d *Deployment) any { return &d.KafkaPollersMax }},
	{Name: "KafkaRetries", Key: "kafkaRetries", Kind: Integer, Default: "-1", Min: -1, Max: 10000,
		Meaning: "How often Lambda retries a batch of records before it reports the offsets to the queue `kafka-failed` and goes on; -1 is without limit, which Lambda caps at 10 since there is such a queue.",
		into:    func(d *Deployment) any { return &d.KafkaRetries }},
	{Name: "KafkaRecordAge", Key: "kafkaRecordAge", Kind: Duration, Min: minute, Max: 7 * 24 * 60 * minute,
		Meaning: "Age at which Lambda gives up on records, as with kafkaRetries. Without one, never.",
		into:    func(d *Deployment) any { return &d.KafkaRecordAge }},

	{Name: "VPC", Key: "vpc", Kind: Text, Default: VPCNone, Min: 1, Max: maxName, Pattern: vpcID,
		Meaning: "VPC of the functions: `none`; `new`, one with private subnets and an endpoint for every AWS service that is used; or the id of one that is there. The brokers of `kafka=msk` are watched (lag, reachability) only from their own.",
		into:    func(d *Deployment) any { return &d.VPC }},
	{Name: "NATGateways", Key: "natGateways", Kind: Integer, Default: "0", Min: 0, Max: 3,
		Meaning: "NAT gateways of a new VPC: for a MongoDB that is reached over the internet.",
		into:    func(d *Deployment) any { return &d.NATGateways }},
	{Name: "MongoSecretARN", Key: "mongoSecretArn", Kind: Text, Max: maxARN, Pattern: secretARN,
		Meaning: "Secret with the connection string of MongoDB. Without one the stack Data makes an empty `millrace/<env>/mongodb-uri`, to be filled by `millrace store connect`.",
		into:    func(d *Deployment) any { return &d.MongoSecretARN }},
	{Name: "SecretKeyARN", Key: "secretKeyArn", Kind: Text, Max: maxARN, Pattern: keyARN,
		Meaning: "KMS key of the secrets that are given by ARN, where it is not AWS's own.",
		into:    func(d *Deployment) any { return &d.SecretKeyARN }},

	{Name: "LogRetentionDays", Key: "logRetentionDays", Kind: Integer, Default: "365",
		Choices: []string{"1", "3", "5", "7", "14", "30", "60", "90", "120", "150", "180", "365", "400", "545", "731", "1827", "3653"},
		Meaning: "How long CloudWatch keeps the functions' logs.",
		into:    func(d *Deployment) any { return &d.LogRetentionDays }},
	{Name: "ReservedConcurrency", Key: "reservedConcurrency", Kind: Integer, Default: "0", Min: 0, Max: 100000,
		Meaning: "Concurrency reserved for each stage's function, and its limit; 0 reserves none.",
		into:    func(d *Deployment) any { return &d.ReservedConcurrency }},
	{Name: "MaxConcurrency", Key: "maxConcurrency", Kind: Integer, Default: "100", Min: 0, Max: 1000,
		Meaning: "Most invocations at once from each SQS queue, 2 or more; 0 sets no limit. Not with pollersMin.",
		into:    func(d *Deployment) any { return &d.MaxConcurrency }},
	{Name: "PollersMin", Key: "pollersMin", Kind: Integer, Default: "0", Min: 0, Max: 200,
		Meaning: "Least pollers of each SQS queue (provisioned mode, which scales faster), 2 or more; 0 is Lambda's standard mode.",
		into:    func(d *Deployment) any { return &d.PollersMin }},
	{Name: "PollersMax", Key: "pollersMax", Kind: Integer, Default: "200", Min: 2, Max: 2000,
		Meaning: "Most pollers of each SQS queue, with pollersMin.",
		into:    func(d *Deployment) any { return &d.PollersMax }},
	{Name: "FunctionURL", Key: "functionUrl", Kind: Flag, Default: "true",
		Meaning: "Whether ingest has a URL that takes events over HTTPS from senders with IAM permission.",
		into:    func(d *Deployment) any { return &d.FunctionURL }},
	{Name: "Rollout", Key: "rollout", Kind: Choice, Default: RolloutCanary, OnLocalStack: RolloutAtOnce, Choices: []string{RolloutCanary, RolloutLinear, RolloutAtOnce},
		Meaning: "How CodeDeploy moves traffic to a changed function: a tenth for 5 minutes and then all, a tenth more every minute, or all at once. An alarm rolls it back. On LocalStack the alias moves at once.",
		into:    func(d *Deployment) any { return &d.Rollout }},

	pages("PageCritical", "P1", func(d *Deployment) any { return &d.PageCritical }),
	pages("PageHigh", "P2", func(d *Deployment) any { return &d.PageHigh }),
	pages("PageMedium", "P3", func(d *Deployment) any { return &d.PageMedium }),
	pages("PageLow", "P4", func(d *Deployment) any { return &d.PageLow }),
	pages("PageSecondary", "any severity that nobody has acknowledged in time, to the secondary on-call", func(d *Deployment) any { return &d.PageSecondary }),
	pages("PageEngineering", "any severity that the secondary has not acknowledged either, to engineering", func(d *Deployment) any { return &d.PageEngineering }),
	pages("PageChat", "every severity, with their escalations", func(d *Deployment) any { return &d.PageChat }),
	{Name: "AlarmShorten", Key: "alarmShorten", Kind: Integer, Default: "1", Min: 1, Max: 25_920, // 3 days become 10 s
		Meaning: "Divides the periods of all alarms, down to 10 s, for tests on LocalStack that run the schedules as often: the monitor and AWS's own metrics have one value a minute.",
		into:    func(d *Deployment) any { return &d.AlarmShorten }},

	{Name: "ObjectLockDays", Key: "objectLockDays", Kind: Integer, Default: "0", Min: 0, Max: 3650,
		Meaning: "Days for which nobody can delete a backup (Object Lock, governance mode); 0 for none. A bucket keeps Object Lock for good.",
		into:    func(d *Deployment) any { return &d.ObjectLockDays }},
	{Name: "TerminationProtection", Key: "terminationProtection", Kind: Flag, Default: "true", OnLocalStack: "false",
		Meaning: "Whether CloudFormation refuses to delete the stack Data.",
		into:    func(d *Deployment) any { return &d.TerminationProtection }},
	{Name: "Removal", Key: "removal", Kind: Choice, Default: RemovalRetain, OnLocalStack: RemovalDestroy, Choices: []string{RemovalRetain, RemovalDestroy},
		Meaning: "What becomes of the key, the secrets, the buckets and the Kafka cluster when the stack Data is deleted.",
		into:    func(d *Deployment) any { return &d.Removal }},
}
