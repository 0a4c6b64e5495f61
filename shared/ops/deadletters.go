package ops

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/redrive"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// DeadLetters reads the dead-letter queues of all stages, the quarantine, and the
// FurtherQueues of a deployed pipeline.
type DeadLetters struct {
	Queues   Browser
	Claims   pipeline.Claims // where bodies too large for a message are
	MaxEvent int             // bytes of one event's JSON
}

// DeadLetterFilter selects dead letters; a zero field selects all.
type DeadLetterFilter struct {
	Stage  string
	Reason fault.Reason
}

// DeadLetter describes one without its payload.
type DeadLetter struct {
	ID           string       `json:"id"` // of the message
	Queue        string       `json:"queue"`
	Stage        string       `json:"stage"` // the stage it failed in
	Reason       fault.Reason `json:"reason"`
	Error        string       `json:"error,omitempty"`
	Attempt      int          `json:"attempt"` // attempts that failed
	FirstFailure time.Time    `json:"first_failure,omitzero"`
	Redrives     int          `json:"redrives"`
	Sent         time.Time    `json:"dead_since"`
	Size         int          `json:"size"`   // bytes of what arrived
	Events       int          `json:"events"` // in it, as far as it can be read
	EventID      string       `json:"event_id,omitempty"`
	EventSource  string       `json:"event_source,omitempty"`
	EventType    string       `json:"event_type,omitempty"`
	// Problem says why what arrived could not be had whole, such as a lost claim.
	Problem string `json:"problem,omitempty"`
	// Batch says which Kafka records a message of the queue spec.KafkaFailed is about; Events
	// is how many they are.
	Batch *redrive.Discarded `json:"kafka_batch,omitempty"`
}

// Quarantined reports that redrive gave up on it.
func (d *DeadLetter) Quarantined() bool { return d.Queue == spec.Quarantine }

// DeadLetterCount is how many dead letters of one queue have the same stage and reason.
type DeadLetterCount struct {
	Queue  string       `json:"queue"`
	Stage  string       `json:"stage"`
	Reason fault.Reason `json:"reason"`
	Count  int          `json:"count"`
	Events int          `json:"events"` // in them, as far as their messages say: at least one each
}

// DeadLetterList is what List found.
type DeadLetterList struct {
	Letters []DeadLetter      `json:"dead_letters"` // at most as many as asked for
	Total   int               `json:"total"`
	Counts  []DeadLetterCount `json:"counts"` // of all, the most frequent first
}

// List describes the first limit dead letters that the filter selects, oldest first in
// each queue, and counts them all.
func (d *DeadLetters) List(ctx context.Context, f DeadLetterFilter, limit int) (DeadLetterList, error) {
	list := DeadLetterList{Letters: []DeadLetter{}, Counts: []DeadLetterCount{}}
	counts := make(map[DeadLetterCount]DeadLetterCount) // by itself without its numbers
	for l, err := range d.browse(ctx, f) {
		if err != nil {
			return list, err
		}
		list.Total++
		kind := DeadLetterCount{Queue: l.queue, Stage: l.stage, Reason: l.reason}
		c := cmp.Or(counts[kind], kind)
		c.Count++
		c.Events += l.events()
		counts[kind] = c
		if len(list.Letters) < limit {
			list.Letters = append(list.Letters, d.open(ctx, l).DeadLetter)
		}
	}
	list.Counts = slices.AppendSeq(list.Counts, maps.Values(counts))
	slices.SortFunc(list.Counts, func(a, b DeadLetterCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Queue, b.Queue),
			cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Reason, b.Reason))
	})
	return list, nil
}

// Find returns the dead letters whose message or event has the id, with what arrived.
func (d *DeadLetters) Find(ctx context.Context, id string) ([]Original, error) {
	var found []Original
	for l, err := range d.browse(ctx, DeadLetterFilter{}) {
		if err != nil {
			return found, err
		}
		if l.msg.ID == id {
			return []Original{d.open(ctx, l)}, nil
		}
		if o := d.open(ctx, l); o.EventID == id {
			found = append(found, o)
		}
	}
	return found, nil
}

// letter is a dead letter as its queue has it.
type letter struct {
	queue  string
	stage  string
	reason fault.Reason
	msg    queue.Received
	attrs  pipeline.Attrs
	other  map[string]string

	batch    *redrive.Discarded // of the queue spec.KafkaFailed
	batchErr error              // why there is none
}

// events in it, as far as it says.
func (l *letter) events() int {
	if l.batch != nil {
		return l.batch.Records
	}
	return max(l.attrs.Count, 1)
}

// browse yields the dead letters that the filter selects, queue by queue. A queue that
// does not exist has none: nothing has been dead-lettered yet.
func (d *DeadLetters) browse(ctx context.Context, f DeadLetterFilter) iter.Seq2[letter, error] {
	return func(yield func(letter, error) bool) {
		for _, name := range append(DeadLetterQueues(), FurtherQueues()...) {
			for m, err := range d.Queues.Browse(ctx, name) {
				if errors.Is(err, queue.ErrNoQueue) {
					break
				}
				if err != nil {
					yield(letter{}, err)
					return
				}
				l := newLetter(name, m)
				if f.Stage != "" && l.stage != f.Stage || f.Reason != "" && l.reason != f.Reason {
					continue
				}
				if !yield(l, nil) {
					return
				}
			}
		}
	}
}

// DeadLetterQueues are the names of the queues that hold dead letters.
func DeadLetterQueues() []string {
	var names []string
	for _, s := range spec.Stages {
		names = append(names, s.DLQ())
	}
	return append(names, spec.Quarantine)
}

// FurtherQueues are those that only a deployed pipeline has: what SNS could not hand over,
// and the batches of Kafka records that Lambda gave up on.
func FurtherQueues() []string {
	var names []string
	for _, s := range spec.Stages {
		if s.HasTopic() {
			names = append(names, s.Undelivered())
		}
	}
	return append(names, spec.KafkaFailed)
}

// newLetter reads the attributes. What the queue's name says of its messages counts first:
// one that SQS or SNS itself put there has neither reason nor stage.
func newLetter(name string, m queue.Received) letter {
	l := letter{queue: name, msg: m}
	l.attrs, l.other = pipeline.ParseAttrs(m.Attributes)
	if name == spec.KafkaFailed {
		l.stage, l.reason = spec.Ingest, fault.KafkaDiscarded
		l.batch, l.batchErr = redrive.ParseDiscarded(m.Body)
		return l
	}
	l.stage = l.attrs.Stage
	var from redrive.Source // of the quarantine: none
	for _, s := range redrive.Sources() {
		if s.Queue == name {
			from = s
			l.stage = cmp.Or(l.stage, s.Stage.Name)
		}
	}
	l.reason = from.ReasonOf(l.attrs)
	return l
}
