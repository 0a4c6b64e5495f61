// Package spec says once, as data, what the stages, metrics, alarms and settings of
// Millrace are. Infrastructure, code, docs and tests all read it here.
package spec

import "time"

// Stage names. A stage is one Lambda function; its queue has the same name.
const (
	Ingest  = "ingest"
	Process = "process"
	Persist = "persist"
	Redrive = "dlq-redrive"
)

// Stage is one step of the pipeline.
type Stage struct {
	Name string
	Next string // the stage whose topic it publishes to, "" for the last

	BatchSize   int           // messages per invocation (Lambda: BatchSize)
	BatchWindow time.Duration // how long to wait for a full batch (Lambda: MaximumBatchingWindowInSeconds)
	Timeout     time.Duration // the function's
	Memory      int           // MiB

	// MaxAttempts is how often an event is tried before it is dead-lettered by the
	// stage itself, with its reason.
	MaxAttempts int
	// MaxReceives is SQS's own redrive policy, the backstop for invocations that die
	// without an answer. It is larger than MaxAttempts so that the reason is not lost.
	MaxReceives int
}

// Queue is the name of the stage's queue.
func (s Stage) Queue() string { return s.Name }

// DLQ is the name of the stage's dead-letter queue.
func (s Stage) DLQ() string { return s.Name + "-dlq" }

// Visibility timeout of the stage's queue: six times the function's timeout plus the
// batch window (AWS Lambda Developer Guide, "Configuring an Amazon SQS queue to use with Lambda").
func (s Stage) Visibility() time.Duration { return 6*s.Timeout + s.BatchWindow }

// Quarantine is the queue of dead letters that redrive gave up on.
const Quarantine = "quarantine"

// DLQRetention of every dead-letter queue and the quarantine: the most that SQS keeps.
const DLQRetention = 14 * 24 * time.Hour

// The function dlq-redrive, which is no stage: it has no topic and no queue of its own.
const (
	RedriveEvery   = 5 * time.Minute // its schedule
	RedriveTimeout = 5 * time.Minute
	RedriveMemory  = 512 // MiB
)

// Stages are the stages in the order that an event takes.
var Stages = []Stage{
	{Name: Ingest, Next: Process, BatchSize: 10, Timeout: 30 * time.Second, Memory: 512, MaxAttempts: 5, MaxReceives: 8},
	{Name: Process, Next: Persist, BatchSize: 10, Timeout: 30 * time.Second, Memory: 512, MaxAttempts: 5, MaxReceives: 8},
	{Name: Persist, BatchSize: 10, Timeout: 30 * time.Second, Memory: 512, MaxAttempts: 5, MaxReceives: 8},
}

// StageByName finds a stage of Stages.
func StageByName(name string) (Stage, bool) {
	for _, s := range Stages {
		if s.Name == name {
			return s, true
		}
	}
	return Stage{}, false
}
