// Package pipeline holds the rules of delivery (ARCHITECTURE.md lists them, 1 to 9) and
// nothing else holds any of them. A Runner takes a batch of deliveries from a source,
// lets a Stage do its work on the events in it, makes everything that came of it
// durable, and only then says which deliveries are done.
package pipeline

import (
	"context"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Stage does one step's work on a batch of events.
type Stage interface {
	// Do returns exactly one Outcome per event, in order (rule 2). It is called by one
	// goroutine at a time per invocation. It must not keep the batch after it returned, but for single
	// events of it.
	// An event it did not start because ctx is done or about to be gets NotStarted
	// (rule 6). A panic is contained: the Runner finds the event that causes it.
	Do(ctx context.Context, batch []event.Event) []Outcome
}

// Outcome is what came of one event. The zero Outcome is a success with nothing to
// forward. Exactly one of the constructors below makes it.
type Outcome struct {
	Forward   []event.Event // published to the next stage before the event's delivery is acknowledged
	Dropped   string        // why a handler dropped it; "" if it did not
	Duplicate bool          // the store had the event already
	Err       error         // a failure: fault.KindOf decides what becomes of the event
}

// Forward passes events on to the next stage.
func Forward(events ...event.Event) Outcome { return Outcome{Forward: events} }

// Stored is the success of a last stage: there is nothing to forward.
func Stored(duplicate bool) Outcome { return Outcome{Duplicate: duplicate} }

// Drop ends the event here, on purpose; the reason is counted.
func Drop(reason string) Outcome { return Outcome{Dropped: reason} }

// Fail fails the event; the kind of the error (package fault) decides whether it is
// retried, dead-lettered, or merely redelivered.
func Fail(err error) Outcome { return Outcome{Err: err} }

// Delivery is one message as the source handed it over.
type Delivery struct {
	ID      string // the source's: an SQS message id, or "topic-partition@offset"
	Body    []byte // as it arrived; never written to
	Attrs   Attrs
	Foreign map[string]string // message attributes that are not Millrace's, kept in dead letters
	Kafka   *KafkaRecord      // set when it is a Kafka record
	Arrived time.Time         // when the platform received it: SentTimestamp, the record's timestamp
	Receive int               // receive count of SQS, 1 on the first; 0 from a source that does not count

	FirstReceived time.Time // of the first receive (ApproximateFirstReceiveTimestamp); zero where unknown
}

// KafkaRecord is what a Kafka record has besides its value.
type KafkaRecord struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte
	Headers   []event.Header
}

// Sender takes messages for a topic or a queue: queue.Queue does.
type Sender interface {
	// Send returns one error per message, in order; nil means durable. See queue.Queue.
	Send(ctx context.Context, msgs []queue.Message) []error
}
