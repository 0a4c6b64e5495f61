package awsio

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// maxPublish is the most one PublishBatch may have in all, topics without
// MaximumMessageSize (Amazon SNS API reference, PublishBatch).
const maxPublish = 256 << 10

// parallel is how many batch requests one Send has under way.
const parallel = 4

// Publisher is the part of the SNS client that Topic uses.
type Publisher interface {
	PublishBatch(context.Context, *sns.PublishBatchInput, ...func(*sns.Options)) (*sns.PublishBatchOutput, error)
}

// Topic publishes to one SNS topic. It implements pipeline.Sender.
type Topic struct {
	Client Publisher
	ARN    string
}

// Send publishes the messages in as few requests as the limits of SNS allow. A message
// with a delay is refused: topics have none.
func (t *Topic) Send(ctx context.Context, msgs []queue.Message) []error {
	return inBatches(msgs, maxPublish, func(part []queue.Message, errs []error) {
		t.publish(ctx, part, errs)
	})
}

// inBatches runs send on each chunk, some at once; send fills the chunk's errors.
func inBatches(msgs []queue.Message, maxBytes int, send func([]queue.Message, []error)) []error {
	errs := make([]error, len(msgs))
	limit := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for _, c := range chunks(msgs, maxBytes) {
		limit <- struct{}{}
		wg.Go(func() {
			send(msgs[c.first:c.end], errs[c.first:c.end])
			<-limit
		})
	}
	wg.Wait()
	return errs
}

func (t *Topic) publish(ctx context.Context, msgs []queue.Message, errs []error) {
	in := &sns.PublishBatchInput{TopicArn: &t.ARN}
	for i, m := range msgs {
		if m.Delay != 0 {
			errs[i] = errors.New("a topic cannot delay a message")
			continue
		}
		attrs := make(map[string]types.MessageAttributeValue, len(m.Attributes))
		for name, value := range m.Attributes {
			attrs[name] = types.MessageAttributeValue{DataType: aws.String(stringType), StringValue: aws.String(value)}
		}
		errs[i] = errNotMentioned
		in.PublishBatchRequestEntries = append(in.PublishBatchRequestEntries, types.PublishBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), Message: text(m.Body), MessageAttributes: attrs,
		})
	}
	if len(in.PublishBatchRequestEntries) == 0 {
		return
	}
	out, err := t.Client.PublishBatch(ctx, in)
	if err != nil {
		for i := range errs {
			if errors.Is(errs[i], errNotMentioned) {
				errs[i] = readable(err)
			}
		}
		return
	}
	for _, s := range out.Successful {
		setEntry(errs, s.Id, nil)
	}
	for _, f := range out.Failed {
		setEntry(errs, f.Id, entryError(f.Code, f.Message))
	}
}

// setEntry sets the error of the entry that id names; an id of nobody is ignored.
func setEntry(errs []error, id *string, err error) {
	if i, convErr := strconv.Atoi(aws.ToString(id)); convErr == nil && i >= 0 && i < len(errs) {
		errs[i] = err
	}
}
