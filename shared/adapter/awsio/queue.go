package awsio

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Queue is one SQS queue. It implements queue.Queue.
type Queue struct {
	Client *sqs.Client
	URL    string
	// MinWait is the least time that a Receive waits for a message. SQS answers a receive
	// that does not wait from a sample of its servers, so that an empty answer does not
	// say that the queue is empty; one that waits asks them all (Amazon SQS Developer
	// Guide, "Amazon SQS short and long polling").
	MinWait time.Duration
}

var _ queue.Queue = (*Queue)(nil)

// Send implements queue.Queue with SendMessageBatch.
func (q *Queue) Send(ctx context.Context, msgs []queue.Message) []error {
	return inBatches(msgs, queue.MaxMessageBytes, func(part []queue.Message, errs []error) {
		q.send(ctx, part, errs)
	})
}

func (q *Queue) send(ctx context.Context, msgs []queue.Message, errs []error) {
	in := &sqs.SendMessageBatchInput{QueueUrl: &q.URL}
	for i := range msgs {
		m := &msgs[i]
		if errs[i] = q.wrap("send to", queue.Check(m)); errs[i] != nil {
			continue
		}
		errs[i] = errNotMentioned
		entry := types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: text(m.Body), MessageAttributes: attributes(m.Attributes),
		}
		if m.Delay > 0 {
			entry.DelaySeconds = seconds(m.Delay)
		}
		in.Entries = append(in.Entries, entry)
	}
	if len(in.Entries) == 0 {
		return
	}
	out, err := q.Client.SendMessageBatch(ctx, in)
	if err != nil {
		for i := range errs {
			if errors.Is(errs[i], errNotMentioned) {
				errs[i] = q.wrap("send to", err)
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

func attributes(m map[string]string) map[string]types.MessageAttributeValue {
	attrs := make(map[string]types.MessageAttributeValue, len(m))
	for name, value := range m {
		attrs[name] = types.MessageAttributeValue{DataType: aws.String(stringType), StringValue: aws.String(value)}
	}
	return attrs
}

// Receive implements queue.Queue.
func (q *Queue) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Received, error) {
	in := &sqs.ReceiveMessageInput{
		QueueUrl: &q.URL, MaxNumberOfMessages: int32(o.Max), WaitTimeSeconds: seconds(max(o.Wait, q.MinWait)),
		MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameApproximateReceiveCount,
			types.MessageSystemAttributeNameSentTimestamp,
			types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp,
		},
	}
	if o.Visibility > 0 {
		in.VisibilityTimeout = seconds(o.Visibility)
	}
	out, err := q.Client.ReceiveMessage(ctx, in)
	if err != nil {
		return nil, q.wrap("receive from", err)
	}
	msgs := make([]queue.Received, len(out.Messages))
	for i, m := range out.Messages {
		msgs[i] = received(m)
	}
	return msgs, nil
}

func received(m types.Message) queue.Received {
	r := queue.Received{
		ID: aws.ToString(m.MessageId), Receipt: aws.ToString(m.ReceiptHandle), Body: []byte(aws.ToString(m.Body)),
		Sent:         millis(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)]),
		FirstReceive: millis(m.Attributes[string(types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp)]),
	}
	r.ReceiveCount, _ = strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
	if len(m.MessageAttributes) > 0 {
		r.Attributes = make(map[string]string, len(m.MessageAttributes))
		for name, v := range m.MessageAttributes {
			r.Attributes[name] = aws.ToString(v.StringValue)
		}
	}
	return r
}

func millis(s string) time.Time {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Delete implements queue.Queue with DeleteMessageBatch.
func (q *Queue) Delete(ctx context.Context, receipts []string) []error {
	errs := make([]error, len(receipts))
	for first := 0; first < len(receipts); first += queue.MaxBatch {
		end := min(first+queue.MaxBatch, len(receipts))
		q.delete(ctx, receipts[first:end], errs[first:end])
	}
	return errs
}

func (q *Queue) delete(ctx context.Context, receipts []string, errs []error) {
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &q.URL}
	for i := range receipts {
		errs[i] = errNotMentioned
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &receipts[i],
		})
	}
	out, err := q.Client.DeleteMessageBatch(ctx, in)
	if err != nil {
		for i := range errs {
			errs[i] = q.wrap("delete from", err)
		}
		return
	}
	for _, s := range out.Successful {
		setEntry(errs, s.Id, nil)
	}
	for _, f := range out.Failed {
		setEntry(errs, f.Id, q.wrap("delete from", receiptError(f)))
	}
}

// ChangeVisibility implements queue.Queue.
func (q *Queue) ChangeVisibility(ctx context.Context, receipt string, d time.Duration) error {
	_, err := q.Client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &q.URL, ReceiptHandle: &receipt, VisibilityTimeout: seconds(d),
	})
	return q.wrap("change visibility in", err)
}

// seconds rounds up to what SQS counts in: a shorter time would come too early.
func seconds(d time.Duration) int32 {
	return int32((d + time.Second - 1) / time.Second)
}

// wrap names the operation and the queue, and makes the errors of package queue.
func (q *Queue) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", op, nameOf(q.URL), known(err))
}

// nameOf a queue: what its URL or its ARN ends with.
func nameOf(address string) string {
	return address[strings.LastIndexAny(address, "/:")+1:]
}

// known turns the errors of SQS that package queue names into its own.
func known(err error) error {
	var none *types.QueueDoesNotExist
	var invalid *types.ReceiptHandleIsInvalid
	var inFlight *types.MessageNotInflight
	switch {
	case errors.As(err, &none):
		return queue.ErrNoQueue
	case errors.As(err, &invalid), errors.As(err, &inFlight):
		return queue.ErrReceipt
	}
	return readable(err)
}

func receiptError(f types.BatchResultErrorEntry) error {
	if aws.ToString(f.Code) == "ReceiptHandleIsInvalid" {
		return queue.ErrReceipt
	}
	return entryError(f.Code, f.Message)
}
