package main

import (
	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func newDLQ(e env, g *globalOptions) *cobra.Command {
	return group(&cobra.Command{
		Use:     "dlq",
		Aliases: []string{"dead-letters"},
		Short:   "Look at the dead letters, and send them back",
		Long: "Look at the dead letters: what could not be processed, kept whole, with the reason. Send them back when the cause is gone.\n\n" +
			"Each stage has its dead-letter queue; what a redrive gave up on is in the quarantine. " +
			"A deployed pipeline also has what SNS could not hand to a stage's queue (reason undelivered), and the batches " +
			"of Kafka records that Lambda gave up on (reason kafka_discarded). " +
			"Looking leaves the messages as they are.",
	}, newDLQList(e, g), newDLQShow(e, g), newDLQRedrive(e, g))
}

// stageNames are the stages that have a dead-letter queue.
func stageNames() []string {
	var names []string
	for _, s := range spec.Stages {
		names = append(names, s.Name)
	}
	return names
}

// reasonNames are all reasons that a dead letter can have.
func reasonNames() []string {
	var names []string
	for _, r := range fault.Reasons() {
		names = append(names, string(r))
	}
	return names
}
