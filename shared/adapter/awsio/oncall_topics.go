package awsio

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// PageTopics publishes pages: one message, at once, with a text for each protocol. It
// implements oncall.Topics.
type PageTopics struct {
	Client *sns.Client
	ARNs   map[string]string // by Millrace's name for the topic
}

// Publish publishes body, a JSON object of texts by protocol (Amazon SNS API reference,
// Publish, MessageStructure).
func (t *PageTopics) Publish(ctx context.Context, topic, subject, body string) error {
	arn, ok := t.ARNs[topic]
	if !ok {
		return fmt.Errorf("there is no topic %s", topic)
	}
	_, err := t.Client.Publish(ctx, &sns.PublishInput{
		TopicArn: &arn, Subject: &subject, Message: &body, MessageStructure: aws.String("json"),
	})
	return err
}
