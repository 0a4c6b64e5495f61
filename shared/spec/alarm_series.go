package spec

import "fmt"

// Namespaces of metrics that AWS itself emits.
const (
	AWSSQS    = "AWS/SQS"
	AWSLambda = "AWS/Lambda"
	AWSSNS    = "AWS/SNS"
	AWSKafka  = "AWS/Kafka"
)

// AWSMetric is a metric that AWS emits, and that an alarm reads.
type AWSMetric struct {
	Namespace, Name string
	Dimension       string // the only one
	// Embedded: the embedded pipeline measures its own queues and handlers the same way.
	Embedded bool
}

// AWSMetrics are all that alarms read, with the dimensions that they are emitted with
// (Amazon SQS, AWS Lambda, Amazon SNS and Amazon MSK developer guides, "CloudWatch metrics").
var AWSMetrics = []AWSMetric{
	{AWSSQS, "ApproximateAgeOfOldestMessage", "QueueName", true},
	{AWSSQS, "ApproximateNumberOfMessagesVisible", "QueueName", true},
	{AWSSQS, "ApproximateNumberOfMessagesNotVisible", "QueueName", true},
	{AWSLambda, "Errors", "FunctionName", true},
	{AWSLambda, "Invocations", "FunctionName", true},
	{AWSLambda, "Throttles", "FunctionName", false},
	{AWSLambda, "Duration", "FunctionName", false},
	{AWSLambda, "ConcurrentExecutions", "FunctionName", false},
	{AWSSNS, "NumberOfNotificationsFailedToRedriveToDlq", "TopicName", false},
	{AWSKafka, "ActiveControllerCount", "Cluster Name", false},
}

// AWSMetricOf finds a row of AWSMetrics.
func AWSMetricOf(namespace, name string) (AWSMetric, bool) {
	for _, m := range AWSMetrics {
		if m.Namespace == namespace && m.Name == name {
			return m, true
		}
	}
	return AWSMetric{}, false
}

// Key names the metric where there are no namespaces: in the file of the embedded
// pipeline. Millrace's own have their plain name.
func (m AWSMetric) Key() string { return m.Namespace + " " + m.Name }

// Resource says what a metric is of.
type Resource string

// Resources of a stage, and those that there is one of.
const (
	OfStage       Resource = "stage"       // an own metric of the stage: spec.Dimensions
	OfQueue       Resource = "queue"       // the stage's queue
	OfDLQ         Resource = "dlq"         // its dead-letter queue
	OfUndelivered Resource = "undelivered" // the dead-letter queue of its subscription
	OfFunction    Resource = "function"    // its function
	OfTopic       Resource = "topic"       // the topic that feeds its queue
	OfQuarantine  Resource = "quarantine"
	OfKafkaFailed Resource = "kafka-failed"
	OfCluster     Resource = "cluster" // the MSK cluster; its name is known to the deployment alone
)

// Series is one metric of one resource, read with a statistic over an alarm's period.
type Series struct {
	Namespace string // "": Millrace's own
	Metric    string
	Stat      Statistic
	Of        Resource // "": OfStage
	Stage     string   // whose; "": the one that the alarm is for
}

// Dimension of a metric in CloudWatch.
type Dimension struct{ Name, Value string }

// In is the series with its stage filled in: the one that the alarm is for.
func (s Series) In(stage string) Series {
	if s.Stage == "" {
		s.Stage = stage
	}
	if s.Of == "" {
		s.Of = OfStage
	}
	if s.Namespace == "" {
		s.Namespace = Namespace
	}
	return s
}

// Dimensions of the series in an environment, after In: exactly those that it is emitted
// with, since an alarm on any other set never fires. cluster is the name of the MSK
// cluster, "" without one.
func (s Series) Dimensions(env, cluster string) []Dimension {
	if m, ok := AWSMetricOf(s.Namespace, s.Metric); ok {
		value := cluster
		if s.Of != OfCluster {
			value = ResourceName(env, s.ResourceName())
		}
		return []Dimension{{m.Dimension, value}}
	}
	return []Dimension{{DimensionService, Service}, {DimensionStage, s.Stage}, {DimensionEnv, env}}
}

// ResourceName is the name of the queue, topic or function in this package, after In: the
// argument of the function ResourceName. For an own metric it is the stage.
func (s Series) ResourceName() string {
	st := Stage{Name: s.Stage}
	switch s.Of {
	case OfDLQ:
		return st.DLQ()
	case OfUndelivered:
		return st.Undelivered()
	case OfQuarantine:
		return Quarantine
	case OfKafkaFailed:
		return KafkaFailed
	}
	return s.Stage
}

// String names the series for people: "p99 EventLatency of persist".
func (s Series) String() string {
	if s.Of == OfCluster {
		return fmt.Sprintf("%s %s of the Kafka cluster", s.Stat, s.Metric)
	}
	what := s.ResourceName()
	switch s.Of {
	case OfQueue, OfTopic, OfFunction:
		what = "the " + string(s.Of) + " " + what
	}
	return fmt.Sprintf("%s %s of %s", s.Stat, s.Metric, what)
}
