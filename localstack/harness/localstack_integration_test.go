//go:build integration

package harness

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func TestIntegrationLocalStack(t *testing.T) {
	client := sqs.NewFromConfig(AWS(t))
	name := Name(t)
	made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &name}); err != nil {
		t.Error(err)
	}
	if _, err := client.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: made.QueueUrl}); err != nil {
		t.Error(err)
	}
}
