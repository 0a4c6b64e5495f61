// Package queuetest is the conformance suite of queue.Broker and queue.Queue. Every
// adapter runs it, also against LocalStack and AWS:
//
//	func TestConformance(t *testing.T) { queuetest.Run(t, newBroker, queuetest.Options{}) }
//
// It makes queues of random names and, as a Broker cannot delete a queue, leaves them: a
// newBroker on AWS returns a Broker that deletes in t.Cleanup what it created.
//
// It waits by asking again until a deadline, never for a fixed time, and so runs as fast
// as the implementation allows.
package queuetest

import (
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Options say where an implementation may differ from the next. The zero value is for
// Amazon SQS as documented, with exact counts.
type Options struct {
	// Tick is the unit in which the suite sets delays and visibility timeouts; default
	// 1 s, the unit of SQS. An implementation that is exact to the millisecond can use
	// less, and the suite is faster.
	Tick time.Duration
	// Settle is the longest that anything may take which should happen by itself: a
	// message to be found, a count to be right, a move to end. Default 30 s; on AWS
	// 2 minutes, because counts are approximate for about one, and a purge takes as long.
	Settle time.Duration
	// MayRepeat: a message may be received by two consumers at once, as rarely happens
	// in SQS ("at least once").
	MayRepeat bool
	// MoveMakesNewIDs: a move gives a message a new id, as in SQS ("considered new
	// messages with a new messageID", SQS Developer Guide, dead-letter queue redrive).
	MoveMakesNewIDs bool
	// AcceptsStale: ChangeVisibility with the receipt of an earlier receive is not refused.
	AcceptsStale bool
	// MoveKeepsCounts: a moved message says that it was received as often as before,
	// unlike in SQS, as in LocalStack.
	MoveKeepsCounts bool
	// OldReceiptsDelete: a receipt of before a message was dead-lettered and moved back
	// still deletes it, as in LocalStack.
	OldReceiptsDelete bool
	// CancelsEnded: cancelling a task that has ended is no error, as in LocalStack.
	CancelsEnded bool
}

func (o Options) withDefaults() Options {
	if o.Tick == 0 {
		o.Tick = time.Second
	}
	if o.Settle == 0 {
		o.Settle = 30 * time.Second
	}
	return o
}

// Run runs the suite. newBroker makes a Broker for one test; the tests run in parallel.
func Run(t *testing.T, newBroker func(t *testing.T) queue.Broker, o Options) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"Send/RoundTrip", sendRoundTrip},
		{"Send/More than a batch", sendMoreThanABatch},
		{"Send/Nothing", sendNothing},
		{"Send/Bad entries leave the others sent", sendBadEntries},
		{"Send/Largest", sendLargest},
		{"Send/Delay of the message", sendDelay},
		{"Send/Delay of the queue", sendQueueDelay},
		{"Receive/Max", receiveMax},
		{"Receive/Empty", receiveEmpty},
		{"Receive/Waits for a message", receiveWaits},
		{"Receive/Ends with its context", receiveCancelled},
		{"Receive/Count", receiveCount},
		{"Visibility/Comes back", visibilityComesBack},
		{"Visibility/Of the queue", visibilityOfQueue},
		{"Visibility/Extended", visibilityExtended},
		{"Visibility/Zero", visibilityZero},
		{"Visibility/Stale receipt", visibilityStaleReceipt},
		{"Delete/Twice", deleteTwice},
		{"Delete/After the visibility timeout", deleteAfterTimeout},
		{"Delete/Malformed receipts", deleteMalformed},
		{"DLQ/After MaxReceives", dlqAfterMaxReceives},
		{"DLQ/Keeps everything byte for byte", dlqKeepsEverything},
		{"DLQ/Not before", dlqNotBefore},
		{"Move/To a queue", moveToQueue},
		{"Move/Back to the sources", moveBack},
		{"Move/Without a source", moveWithoutSource},
		{"Move/Rate and cancel", moveRateAndCancel},
		{"Move/Nothing", moveNothing},
		{"Move/Errors", moveErrors},
		{"Broker/Depths", brokerDepths},
		{"Broker/Purge", brokerPurge},
		{"Broker/Create changes", brokerCreateChanges},
		{"Broker/No queue", brokerNoQueue},
		{"Concurrent/Each message processed once", concurrentConsumers},
		{"Concurrent/Consumers that fail", concurrentFailures},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(&suite{T: t, b: newBroker(t), o: o.withDefaults()})
		})
	}
}
