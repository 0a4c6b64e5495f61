//go:build integration

package awsio_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/conformance/queuetest"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// TestIntegrationConformance runs the suite that SQLite's queues pass on SQS.
func TestIntegrationConformance(t *testing.T) {
	client := sqs.NewFromConfig(harness.AWS(t))
	queuetest.Run(t, func(t *testing.T) queue.Broker {
		b := &cleaner{Broker: &awsio.Broker{Client: client, Prefix: "conf-"}, client: client}
		t.Cleanup(func() { b.clean(t) })
		return b
	}, queuetest.Options{
		MoveMakesNewIDs: true,
		// Where LocalStack 4.14 differs from SQS.
		AcceptsStale: true, MoveKeepsCounts: true, OldReceiptsDelete: true, CancelsEnded: true,
	})
}

// cleaner deletes the queues that it created.
type cleaner struct {
	*awsio.Broker
	client *sqs.Client

	mu      sync.Mutex
	created []string
}

func (c *cleaner) Create(ctx context.Context, name string, config queue.Config) error {
	c.mu.Lock()
	c.created = append(c.created, name)
	c.mu.Unlock()
	return c.Broker.Create(ctx, name, config)
}

func (c *cleaner) clean(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, name := range c.created {
		q, err := c.Queue(ctx, name)
		if err != nil {
			continue // it was refused
		}
		_, err = c.client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &q.(*awsio.Queue).URL})
		var gone *types.QueueDoesNotExist // it was created twice
		if err != nil && !errors.As(err, &gone) {
			t.Errorf("delete %s: %v", name, err)
		}
	}
}
