// Package queue is the contract of a queue with the semantics of Amazon SQS
// standard queues. It is implemented by SQLite (embedded) and by SQS itself
// (AWS, LocalStack); shared/conformance/queuetest holds the suite both pass.
//
// Source of the rules: Amazon SQS Developer Guide (visibility timeout, dead-letter
// queues, delay queues) and API reference.
package queue

import (
	"context"
	"errors"
	"time"
)

// Limits of SQS that every implementation keeps.
const (
	MaxBatch        = 10               // entries in one SendMessageBatch, DeleteMessageBatch or ReceiveMessage
	MaxMessageBytes = 1 << 20          // body plus attributes, a message and a batch
	MaxAttributes   = 10               // message attributes per message
	MaxDelay        = 15 * time.Minute // DelaySeconds
	MaxVisibility   = 12 * time.Hour
	MaxWait         = 20 * time.Second // long polling
)

var (
	// ErrNoQueue: the queue does not exist.
	ErrNoQueue = errors.New("queue does not exist")
	// ErrReceipt: the receipt is malformed, or the message has been received again since
	// and the visibility of that newer receive is not this receipt's to change.
	ErrReceipt = errors.New("receipt is not valid")
	// ErrTooLarge: a message is larger than MaxMessageBytes.
	ErrTooLarge = errors.New("message is larger than 1 MiB")
	// ErrInvalid: a message that SQS does not take (Check: an empty body, more than ten
	// attributes, a name of an attribute that it keeps to itself, characters outside #x9 | #xA | #xD | #x20-#xD7FF | #xE000-#xFFFD | #x10000-#x10FFFF).
	ErrInvalid = errors.New("message is not valid")
	// ErrMoveActive: the queue already has a message-move task running.
	ErrMoveActive = errors.New("a message-move task is already running on this queue")
	// ErrNotDLQ: StartMove without a destination on a queue that no other queue names as its DLQ.
	ErrNotDLQ = errors.New("queue is not a dead-letter queue")
	// ErrNoMove: CancelMove of a task that does not exist or has ended.
	ErrNoMove = errors.New("no such message-move task is running")
)

// Message is one message to send.
type Message struct {
	Body       []byte            // text as SQS takes it; not kept or changed by the callee after it returns
	Attributes map[string]string // String attributes, at most MaxAttributes
	Delay      time.Duration     // 0: the queue's own
}

// Received is one message as received.
type Received struct {
	ID           string // the message's id, the same on every receive
	Receipt      string // names this receive, for Delete and ChangeVisibility
	Body         []byte
	Attributes   map[string]string
	ReceiveCount int // 1 on the first receive (ApproximateReceiveCount)
	Sent         time.Time
	FirstReceive time.Time
}

// ReceiveOptions of one Receive.
type ReceiveOptions struct {
	Max        int           // at most this many messages, 1 to MaxBatch
	Wait       time.Duration // long polling: return early only with messages; 0 does not wait
	Visibility time.Duration // 0: the queue's own
}

// Queue is one queue. Implementations are safe for concurrent use, also by several
// processes. Delivery is at least once and in no promised order.
type Queue interface {
	// Send sends any number of messages, in batches of its own making. It returns one
	// error per message, in order: nil means the message is durable. A message whose
	// slot is not nil may still have been sent (a lost answer), never the other way.
	Send(ctx context.Context, msgs []Message) []error
	// Receive takes messages and hides them for the visibility timeout. A message whose
	// receive count would pass the queue's MaxReceives goes to the DLQ instead. An empty
	// result with a nil error means no message in the wait time.
	Receive(ctx context.Context, o ReceiveOptions) ([]Received, error)
	// Delete deletes received messages, one error per receipt. Deleting twice is no error.
	Delete(ctx context.Context, receipts []string) []error
	// ChangeVisibility hides the message for d from now; 0 makes it visible at once.
	ChangeVisibility(ctx context.Context, receipt string, d time.Duration) error
}

// Config of one queue. The zero value of a field means the default of SQS.
type Config struct {
	Visibility  time.Duration // default 30 s
	Delay       time.Duration
	Retention   time.Duration // default 4 days; 14 days at most
	DLQ         string        // name of the dead-letter queue, "" for none
	MaxReceives int           // receives before a message goes to the DLQ; needs DLQ
}

// Depth of a queue (approximate on SQS).
type Depth struct {
	Visible  int           `json:"visible"`
	InFlight int           `json:"in_flight"`
	Delayed  int           `json:"delayed"`
	Oldest   time.Duration `json:"-"` // age of the oldest message that is not deleted; 0 when empty or unknown
}

// Total is every message that the queue still holds.
func (d Depth) Total() int { return d.Visible + d.InFlight + d.Delayed }

// MoveStatus of a message-move task.
type MoveStatus string

const (
	MoveRunning   MoveStatus = "RUNNING"
	MoveCompleted MoveStatus = "COMPLETED"
	MoveCancelled MoveStatus = "CANCELLED"
	MoveFailed    MoveStatus = "FAILED"
)

// Move is a message-move task (StartMessageMoveTask).
type Move struct {
	ID      string
	Source  string
	Dest    string // "": each message back to the queue it came from
	Status  MoveStatus
	Moved   int
	ToMove  int // counted when the task started
	Failure string
}

// MoveOptions of StartMove.
type MoveOptions struct {
	Dest string // queue name; "" sends each message back to its source queue
	Rate int    // messages per second, 1 to 500; 0: as fast as the queue allows
}

// Broker creates and finds queues.
type Broker interface {
	// Create makes the queue or changes its configuration to c.
	Create(ctx context.Context, name string, c Config) error
	// Queue opens an existing queue; ErrNoQueue if there is none.
	Queue(ctx context.Context, name string) (Queue, error)
	// Depths of the named queues, of all when none is named.
	Depths(ctx context.Context, names ...string) (map[string]Depth, error)
	// Purge deletes every message of the queue.
	Purge(ctx context.Context, name string) error
	// StartMove starts a message-move task from a dead-letter queue. Bodies and
	// attributes are kept; receive counts start again, and SQS gives new message ids. The task goes on
	// by itself (in SQS; embedded: in the process that started it, until Close).
	StartMove(ctx context.Context, source string, o MoveOptions) (Move, error)
	// Moves lists the queue's recent tasks, newest first, at most ten.
	Moves(ctx context.Context, source string) ([]Move, error)
	// CancelMove stops a running task; what it moved stays moved. ErrNoMove if there is
	// no such task or it has ended.
	CancelMove(ctx context.Context, id string) error
}
