package awsio

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Limits of StartMessageMoveTask and ListMessageMoveTasks (Amazon SQS API reference).
const (
	maxMoveRate = 500 // messages a second
	maxMoves    = 10  // tasks in a list
)

// StartMove implements queue.Broker with StartMessageMoveTask. SQS wants the source to be
// the dead-letter queue of another queue even where a destination is named.
func (b *Broker) StartMove(ctx context.Context, source string, o queue.MoveOptions) (queue.Move, error) {
	m := queue.Move{Source: source, Dest: o.Dest, Status: queue.MoveRunning}
	if o.Rate < 0 || o.Rate > maxMoveRate {
		return m, fmt.Errorf("move from %s: rate %d is not in 0 to %d", source, o.Rate, maxMoveRate)
	}
	attrs, err := b.attributes(ctx, source, types.QueueAttributeNameQueueArn, types.QueueAttributeNameApproximateNumberOfMessages)
	if err != nil {
		return m, err
	}
	in := &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(attrs[string(types.QueueAttributeNameQueueArn)])}
	if o.Dest != "" {
		arn, err := b.arn(ctx, o.Dest)
		if err != nil {
			return m, err
		}
		in.DestinationArn = &arn
	}
	if o.Rate > 0 {
		in.MaxNumberOfMessagesPerSecond = aws.Int32(int32(o.Rate))
	}
	out, err := b.Client.StartMessageMoveTask(ctx, in)
	if err != nil {
		return m, fmt.Errorf("move from %s: %w", b.Prefix+source, moveError(err))
	}
	m.ID = aws.ToString(out.TaskHandle)
	_, err = fmt.Sscan(attrs[string(types.QueueAttributeNameApproximateNumberOfMessages)], &m.ToMove)
	return m, err
}

// moveError makes the errors of package queue. SQS tells them apart by their texts alone:
// both are an invalid parameter, or an operation that is not supported.
func moveError(err error) error {
	var none *types.ResourceNotFoundException
	if errors.As(err, &none) {
		return queue.ErrNoQueue
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch text := api.ErrorMessage(); {
		case strings.Contains(text, "already a task running"):
			return queue.ErrMoveActive
		case strings.Contains(text, "must be configured as a Dead Letter Queue"):
			return queue.ErrNotDLQ
		}
	}
	return known(err)
}

// Moves implements queue.Broker with ListMessageMoveTasks. Only a task that runs has its
// ID: SQS names no other.
func (b *Broker) Moves(ctx context.Context, source string) ([]queue.Move, error) {
	arn, err := b.arn(ctx, source)
	if err != nil {
		return nil, err
	}
	out, err := b.Client.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: &arn, MaxResults: aws.Int32(maxMoves)})
	if err != nil {
		return nil, fmt.Errorf("moves from %s: %w", b.Prefix+source, moveError(err))
	}
	moves := make([]queue.Move, len(out.Results))
	for i, t := range out.Results {
		moves[i] = queue.Move{
			ID: aws.ToString(t.TaskHandle), Source: source,
			Dest:    strings.TrimPrefix(nameOf(aws.ToString(t.DestinationArn)), b.Prefix),
			Status:  moveStatus(aws.ToString(t.Status)),
			Moved:   int(t.ApproximateNumberOfMessagesMoved),
			ToMove:  int(aws.ToInt64(t.ApproximateNumberOfMessagesToMove)),
			Failure: aws.ToString(t.FailureReason),
		}
	}
	return moves, nil
}

// moveStatus: a task that is being cancelled still moves.
func moveStatus(s string) queue.MoveStatus {
	if s == "CANCELLING" {
		return queue.MoveRunning
	}
	return queue.MoveStatus(s)
}

// CancelMove implements queue.Broker with CancelMessageMoveTask.
func (b *Broker) CancelMove(ctx context.Context, id string) error {
	_, err := b.Client.CancelMessageMoveTask(ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: &id})
	if err == nil {
		return nil
	}
	var none *types.ResourceNotFoundException
	var api smithy.APIError
	if errors.As(err, &none) || errors.As(err, &api) && endedTask(api) {
		err = queue.ErrNoMove
	}
	return fmt.Errorf("cancel move %.100q: %w", id, readable(err))
}

// endedTask reports that a handle names no task that could be cancelled: it is malformed,
// or its task has ended.
func endedTask(err smithy.APIError) bool {
	switch err.ErrorCode() {
	case "InvalidParameterValue", "InvalidParameterValueException", "UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation":
		return true
	}
	return false
}
