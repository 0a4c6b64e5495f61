package stack

import (
	"math"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

const (
	// queueRetention is how long a message waits to be worked on: a week of outage. SQS
	// counts the age of a dead letter that it moved from when it was first sent, so this
	// is well below spec.DLQRetention.
	queueRetention = 7 * 24 * time.Hour
	// longPoll is how long a receive waits for a message: the most, and the cheapest.
	longPoll = 20 * time.Second
)

// queues makes the queues of the pipeline.
type queues struct {
	scope constructs.Construct
	stack awscdk.Stack
	o     *Options
	key   awskms.IKey
}

// work makes a queue that a stage works on, and its dead-letter queue.
func (q queues) work(s spec.Stage) (work, dead awssqs.Queue) {
	dead = q.dead("DeadLetters", s.DLQ(), s.Queue())
	p := q.props(s.Queue(), queueRetention)
	p.VisibilityTimeout = seconds(s.Visibility())
	p.DeadLetterQueue = &awssqs.DeadLetterQueue{Queue: dead, MaxReceiveCount: jsii.Number(s.MaxReceives)}
	return awssqs.NewQueue(q.scope, jsii.String("Queue"), p), dead
}

// dead makes a queue of dead letters. Only the queue named source may have it as its
// dead-letter queue; with "" none may, since SQS moves nothing there by itself.
func (q queues) dead(id, name, source string) awssqs.Queue {
	dead := awssqs.NewQueue(q.scope, &id, q.props(name, spec.DLQRetention))
	allow := map[string]any{"redrivePermission": "denyAll"}
	if source != "" {
		// By name: the source's ARN would make a circle, since the source refers to this one.
		allow = map[string]any{"redrivePermission": "byQueue", "sourceQueueArns": []any{q.arn(source)}}
	}
	dead.Node().DefaultChild().(awssqs.CfnQueue).SetRedriveAllowPolicy(allow)
	return dead
}

func (q queues) props(name string, keep time.Duration) *awssqs.QueueProps {
	return &awssqs.QueueProps{
		QueueName:              jsii.String(q.o.name(name)),
		RetentionPeriod:        seconds(keep),
		ReceiveMessageWaitTime: seconds(longPoll),
		Encryption:             awssqs.QueueEncryption_KMS,
		EncryptionMasterKey:    q.key,
		DataKeyReuse:           awscdk.Duration_Hours(jsii.Number(1)), // KMS bills per call
		EnforceSSL:             jsii.Bool(true),
	}
}

func (q queues) arn(name string) *string {
	return q.stack.FormatArn(&awscdk.ArnComponents{Service: jsii.String("sqs"), Resource: jsii.String(q.o.name(name))})
}

func seconds(d time.Duration) awscdk.Duration {
	return awscdk.Duration_Seconds(jsii.Number(math.Ceil(d.Seconds())))
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }
