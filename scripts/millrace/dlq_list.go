package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

type dlqListOptions struct {
	stage  string
	reason string
	limit  int
}

func newDLQList(e env, g *globalOptions) *cobra.Command {
	var o dlqListOptions
	c := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, and count them by reason",
		Long: "List the dead letters of every stage and of the quarantine, of a deployed pipeline also what SNS could not hand over " +
			"and the batches of Kafka records that Lambda gave up on, oldest first, then count all of them by reason, " +
			"with what each reason means and what to do first.\n\n" +
			"The ID is the event's where it can be read, else the message's; `millrace dlq show` takes either.\n\n" +
			"With --json: {\"dead_letters\": […], \"total\": N, \"counts\": [{\"queue\", \"stage\", \"reason\", \"count\", \"events\"}]}; " +
			"a batch of Kafka records has its offsets in \"kafka_batch\".",
		Example: "  millrace dlq list\n" +
			"  millrace dlq list --stage process --reason handler_error --limit 5\n" +
			"  millrace dlq list --json | jq '.counts'",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runDLQList(c.Context(), e, g, o) },
	}
	c.Flags().StringVar(&o.stage, "stage", "", "those that failed in this `stage`: "+strings.Join(stageNames(), ", "))
	c.Flags().StringVar(&o.reason, "reason", "", "those with this `reason`, such as not_json or handler_error")
	c.Flags().IntVar(&o.limit, "limit", 20, "list at most `N`; all are counted")
	complete(c, "stage", stageNames())
	complete(c, "reason", reasonNames())
	return c
}

func (o *dlqListOptions) filter() (ops.DeadLetterFilter, error) {
	f := ops.DeadLetterFilter{Stage: o.stage, Reason: fault.Reason(o.reason)}
	if o.stage != "" {
		if err := oneOf("--stage", o.stage, stageNames()); err != nil {
			return f, err
		}
	}
	if o.reason != "" {
		if err := oneOf("--reason", o.reason, reasonNames()); err != nil {
			return f, err
		}
	}
	if o.limit < 0 {
		return f, usageError("--limit is %d: it must not be negative", o.limit)
	}
	return f, nil
}

func runDLQList(ctx context.Context, e env, g *globalOptions, o dlqListOptions) error {
	f, err := o.filter()
	if err != nil {
		return err
	}
	t, err := newTarget(e, g)
	if err != nil {
		return err
	}
	defer t.close()
	dlq, err := deadLetters(ctx, e, t)
	if err != nil {
		return err
	}
	list, err := dlq.List(ctx, f, o.limit)
	if err != nil {
		return err
	}
	if g.json {
		return writeJSON(e.stdout, list)
	}
	if list.Total == 0 {
		_, err := fmt.Fprintln(e.stdout, "no dead letters")
		return err
	}
	return writeDeadLetters(e.stdout, &list)
}

func writeDeadLetters(w io.Writer, list *ops.DeadLetterList) error {
	if len(list.Letters) > 0 {
		t := newTable("STAGE", "REASON", ">ATTEMPT", "FIRST FAILURE", ">SIZE", "ID")
		for i := range list.Letters {
			l := &list.Letters[i]
			t.add(stageOf(l.Queue, l.Stage), string(l.Reason), number(l.Attempt), timestamp(l.FirstFailure), size(l.Size), short(letterID(l), 120))
		}
		if err := t.write(w); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		if err := writeBatches(w, list.Letters); err != nil {
			return err
		}
	}
	s := count(list.Total, "dead letter")
	if n := len(list.Letters); n > 0 && n < list.Total {
		s += fmt.Sprintf(", the first %s listed (--limit lists more)", number(n))
	}
	if _, err := fmt.Fprintln(w, s+":"); err != nil {
		return err
	}
	return writeReasons(w, list.Counts)
}

// writeReasons says how many dead letters each reason has, and what to do about them.
func writeReasons(w io.Writer, counts []ops.DeadLetterCount) error {
	var b bytes.Buffer
	for _, c := range counts {
		info := c.Reason.Info()
		fmt.Fprintf(&b, "%8s  %s: %s", number(c.Count), stageOf(c.Queue, c.Stage), c.Reason)
		if c.Events > c.Count {
			fmt.Fprintf(&b, " (%s)", count(c.Events, "event"))
		}
		b.WriteByte('\n')
		fmt.Fprintf(&b, "%10s%s\n%10sDo: %s\n", "", info.Meaning, "", info.Fix)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// stageOf is the stage of a dead letter, with its queue where that is not the stage's
// dead-letter queue.
func stageOf(queue, stage string) string {
	st, _ := spec.StageByName(stage)
	switch queue {
	case spec.Quarantine:
		return stage + " (quarantine)"
	case spec.KafkaFailed:
		return stage + " (Kafka)"
	case st.Undelivered():
		return stage + " (SNS)"
	}
	return stage
}

// letterID is the ID that people use for a dead letter.
func letterID(l *ops.DeadLetter) string {
	if l.EventID != "" && l.Events <= 1 {
		return l.EventID
	}
	return l.ID
}
