package spec

import (
	"slices"
	"strings"
)

// Environment variables of the functions besides the settings: infrastructure sets them,
// functions/internal/wire reads them.
const (
	NextTopicVar       = "NEXT_TOPIC_ARN"       // of the next stage's topic; a last stage has none
	QueueVar           = "QUEUE_URL"            // of the stage's own queue
	DLQVar             = "DLQ_URL"              // of its dead-letter queue
	ClaimsVar          = "CLAIMS_BUCKET"        // name of the bucket of the claim check
	MongoSecretVar     = "MONGODB_URI_SECRET"   // ARN of the secret with the connection string
	PseudonymSecretVar = "PSEUDONYM_KEY_SECRET" // ARN of the secret with the setting PseudonymKey
)

// QueueURLVar is the variable of dlq-redrive with the URL of a queue: PROCESS_QUEUE_URL
// for process, PROCESS_DLQ_URL for process-dlq, QUARANTINE_URL for quarantine.
func QueueURLVar(queue string) string {
	name := strings.ToUpper(strings.ReplaceAll(queue, "-", "_"))
	if _, ok := StageByName(queue); ok {
		name += "_QUEUE"
	}
	return name + "_URL"
}

// RedriveQueues are the queues that dlq-redrive works on: each stage's, its dead-letter
// queue and what its topic could not hand over, and the quarantine.
func RedriveQueues() []string {
	queues := []string{Quarantine}
	for _, s := range Stages {
		queues = append(queues, s.Queue(), s.DLQ())
		if s.HasTopic() {
			queues = append(queues, s.Undelivered())
		}
	}
	return queues
}

// UsesStore says which functions open the event store: persist for its writes, process
// for the leases of handlers with side effects, monitor to see whether it answers.
func UsesStore(function string) bool {
	return function == Process || function == Persist || function == Monitor
}

// UsesPseudonyms says which functions run handlers, which may pseudonymise.
func UsesPseudonyms(function string) bool { return function == Process }

// FunctionVars are the names of the variables of a function, sorted, the settings aside.
func FunctionVars(function string) []string {
	var vars []string
	if s, ok := StageByName(function); ok {
		vars = append(vars, QueueVar, DLQVar, ClaimsVar)
		if s.Next != "" {
			vars = append(vars, NextTopicVar)
		}
	}
	if function == Redrive {
		for _, q := range RedriveQueues() {
			vars = append(vars, QueueURLVar(q))
		}
	}
	if function == OnCall {
		vars = append(vars, ClaimsVar)
		for _, t := range PageTopics() {
			vars = append(vars, PageTopicVar(t))
		}
	}
	if UsesStore(function) {
		vars = append(vars, MongoSecretVar)
	}
	if UsesPseudonyms(function) {
		vars = append(vars, PseudonymSecretVar)
	}
	slices.Sort(vars)
	return vars
}
