package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newTopic makes the topic in front of a stage's queue. What SNS cannot hand over goes to
// undelivered (Amazon SNS Developer Guide, "Amazon SNS dead-letter queues").
func newTopic(scope constructs.Construct, name string, key awskms.IKey, queue, undelivered awssqs.Queue) awssns.Topic {
	topic := awssns.NewTopic(scope, jsii.String("Topic"), &awssns.TopicProps{
		TopicName:  &name,
		MasterKey:  key,
		EnforceSSL: jsii.Bool(true),
	})
	topic.AddSubscription(awssnssubscriptions.NewSqsSubscription(queue, &awssnssubscriptions.SqsSubscriptionProps{
		RawMessageDelivery: jsii.Bool(true), // the body as it was published, without SNS's envelope
		DeadLetterQueue:    undelivered,
	}))
	return topic
}
