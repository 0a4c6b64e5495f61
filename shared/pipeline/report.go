package pipeline

import (
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Report is what one invocation did, counted in events unless a field says otherwise.
// Metrics and the invocation's one log line are made of it.
type Report struct {
	Stage       string
	RequestID   string // of the invocation
	TraceParent string
	Source      string // "kafka", "sqs", "http", "schedule", "direct"
	Start       time.Time
	Duration    time.Duration

	Deliveries int // messages in the invocation
	Failed     int // messages reported back as failed
	Events     int // events decoded from them
	Forwarded  int // events published to the next stage, further events included
	Stored     int // events that the last stage completed, duplicates included
	Duplicates int // of them stored before
	Dropped    int
	Retried    int // sent back to the stage's own queue
	Redelivery int // in messages reported as failed
	Unstarted  int // not begun before the deadline
	Dead       int // dead letters written, undecodable deliveries included
	BytesIn    int // message bodies
	Packs      int // messages published
	BytesRaw   int // their events' JSON
	BytesOut   int // their bodies

	// Latency of each event that ended here (stored, dropped or dead): from when the
	// pipeline received it to now.
	Latency []time.Duration

	Reasons  map[fault.Reason]int // failures by reason, retried ones included
	Failures []Failure            // the first MaxFailures, for the log
}

// MaxFailures bounds the failures that a Report lists.
const MaxFailures = 20

// Failure is one failed event or delivery, without its payload.
type Failure struct {
	Key         event.Key // zero for a delivery that did not decode
	Delivery    string
	TraceParent string
	Attempt     int
	Dead        bool
	Err         error
}
