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
	Events     int // events in them; a message that does not decode counts as one
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

	Breaker    BreakerState // of the stage's dependency when the invocation ended; "" without one
	Dependency Usage        // of it, since the report before

	// Latency of each event that ended here (stored, dropped or dead): from when the
	// pipeline received it to now.
	Latency []time.Duration

	Reasons  map[fault.Reason]int // failures by reason, retried ones included
	Failures []Failure            // the first MaxFailures, for the log
}

// BreakerState of the circuit breaker around what a stage depends on.
type BreakerState string

const (
	BreakerClosed   BreakerState = "closed"
	BreakerOpen     BreakerState = "open"      // calls are not tried
	BreakerHalfOpen BreakerState = "half-open" // a trial call decides
)

// Usage of what a stage depends on. Invocations that run at once share it, so it is of the
// process and not of one invocation.
type Usage struct {
	Longest time.Duration // of the calls that ended; 0 without one
	Waits   int64         // calls that had to wait for a connection, or got none
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

// fail notes a failure for the log and counts its reason.
func (r *Report) fail(f Failure) {
	if r.Reasons == nil {
		r.Reasons = make(map[fault.Reason]int)
	}
	r.Reasons[fault.ReasonOf(f.Err)]++
	r.list(f)
}

// list notes a failure for the log only: of a message, whose events count themselves.
func (r *Report) list(f Failure) {
	if len(r.Failures) < MaxFailures {
		r.Failures = append(r.Failures, f)
	}
}

// report counts what became of the batch, hands the Report over, and returns the
// deliveries that failed.
func (b *batch) report() []int {
	now := b.r.Now()
	for i := range b.items {
		b.count(&b.items[i], now)
	}
	var failed []int
	for i, f := range b.failed {
		if f {
			failed = append(failed, i)
		}
	}
	b.rep.Failed = len(failed)
	b.rep.Duration = now.Sub(b.start)
	if b.r.Breaker != nil {
		b.rep.Breaker = b.r.Breaker()
	}
	if b.r.Usage != nil {
		b.rep.Dependency = b.r.Usage()
	}
	if b.r.Observe != nil {
		b.r.Observe(b.rep)
	}
	return failed
}

func (b *batch) count(it *item, now time.Time) {
	open := b.failed[it.delivery]
	switch {
	case it.fate == fateDone:
		b.countDone(it, now)
		return
	case open:
		b.rep.Redelivery++
	case it.fate == fateDead:
		b.rep.Dead++
	case it.fate == fateLater:
		b.rep.Unstarted++
	default:
		b.rep.Retried++
	}
	dead := it.fate == fateDead && !open
	if dead {
		b.ended(it, now)
	}
	f := Failure{Delivery: b.in.Deliveries[it.delivery].ID, Attempt: b.in.Deliveries[it.delivery].attempt(), Dead: dead, Err: it.err}
	if it.valid {
		f.Key, f.TraceParent = it.event.Key(), it.event.TraceParent()
	}
	b.rep.fail(f)
}

func (b *batch) countDone(it *item, now time.Time) {
	switch {
	case it.out.Dropped != "":
		b.rep.Dropped++
		b.ended(it, now)
	case b.r.Out == nil:
		b.rep.Stored++
		if it.out.Duplicate {
			b.rep.Duplicates++
		}
		b.ended(it, now)
	}
}

// ended notes the latency of an event whose way ends here.
func (b *batch) ended(it *item, now time.Time) {
	if !it.valid {
		return
	}
	if t := it.event.Received(); !t.IsZero() {
		b.rep.Latency = append(b.rep.Latency, max(now.Sub(t), 0))
	}
}
