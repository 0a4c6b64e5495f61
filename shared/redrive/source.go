package redrive

import (
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Source is a queue whose messages go back to the queue of a stage as they are.
type Source struct {
	Queue string
	Stage spec.Stage

	reason   fault.Reason // of every message; "": each has its own
	optional bool         // a pipeline may do without it
}

// Sources are the queues that an Engine redrives: of each stage its dead-letter queue, and
// what its topic could not hand over, which only a deployed pipeline has.
func Sources() []Source {
	var all []Source
	for _, s := range spec.Stages {
		all = append(all, Source{Queue: s.DLQ(), Stage: s})
		if s.HasTopic() {
			all = append(all, Source{Queue: s.Undelivered(), Stage: s, reason: fault.Undelivered, optional: true})
		}
	}
	return all
}

// ReasonOf a message of the queue. One that SQS itself moved, after receives that nobody
// answered, has none.
func (s Source) ReasonOf(a pipeline.Attrs) fault.Reason {
	switch {
	case s.reason != "":
		return s.reason
	case a.Reason == "":
		return fault.Unknown
	}
	return a.Reason
}
