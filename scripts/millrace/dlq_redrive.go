package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/redrive"
)

type dlqRedriveOptions struct {
	stage   string
	reasons []string
	passing bool
	limit   int
	rate    float64
	execute bool
	kafka   dlqKafkaOptions
}

func newDLQRedrive(e env, g *globalOptions) *cobra.Command {
	var o dlqRedriveOptions
	c := &cobra.Command{
		Use:   "redrive",
		Short: "Send dead letters back to the stage they failed in",
		Long: "Send the dead letters that the flags select back to the stage they failed in, to be tried again with all attempts. " +
			"First remove what made them fail: `millrace dlq list` says what.\n\n" +
			"Without --execute it only counts what it would do. A dead letter that has come back too often " +
			"(setting MILLRACE_MAX_REDRIVES) goes to the quarantine instead. What is in the quarantine stays there.\n\n" +
			"What SNS could not hand to a stage's queue goes there. Of a batch of Kafka records that Lambda gave up on, " +
			"the records are read from Kafka again (--kafka) and sent to ingest. Records that the topic's retention has " +
			"deleted are lost: they are named, and the message stays until --discard-lost lets it go.\n\n" +
			"With --json: {\"executed\", \"redriven\", \"quarantined\", \"left\", \"failed\", \"by_reason\", \"problems\", " +
			"\"kafka\": {\"batches\", \"records\", \"left\", \"failed\", \"lost\", \"problems\"}}.",
		Example: "  millrace dlq redrive\n" +
			"  millrace dlq redrive --stage persist --reason store_unavailable --execute\n" +
			"  millrace dlq redrive --passing --max 1000 --rate 100 --execute\n" +
			"  millrace dlq redrive --target aws --reason kafka_discarded --kafka b-1.example.com:9094 --kafka-tls --execute",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runDLQRedrive(c.Context(), e, g, o) },
	}
	c.Flags().StringVar(&o.stage, "stage", "", "those that failed in this `stage`: "+strings.Join(stageNames(), ", "))
	c.Flags().StringSliceVar(&o.reasons, "reason", nil, "those with one of these `reasons`, separated by commas")
	c.Flags().BoolVar(&o.passing, "passing", false, "those whose reason can pass by itself")
	c.Flags().IntVar(&o.limit, "max", 0, "at most `N`")
	c.Flags().Float64Var(&o.rate, "rate", 0, "at most `N` a second; of Kafka, records")
	c.Flags().BoolVar(&o.execute, "execute", false, "do it")
	o.kafka.flags(c)
	complete(c, "stage", stageNames())
	complete(c, "reason", reasonNames())
	return c
}

func (o *dlqRedriveOptions) request() (redrive.Request, error) {
	q := redrive.Request{Stage: o.stage, Passing: o.passing, Max: o.limit, Rate: o.rate, DryRun: !o.execute}
	if o.stage != "" {
		if err := oneOf("--stage", o.stage, stageNames()); err != nil {
			return q, err
		}
	}
	for _, r := range o.reasons {
		if err := oneOf("--reason", r, reasonNames()); err != nil {
			return q, err
		}
		q.Reasons = append(q.Reasons, fault.Reason(r))
	}
	if o.limit < 0 || o.rate < 0 {
		return q, usageError("--max and --rate must not be negative")
	}
	return q, nil
}

func runDLQRedrive(ctx context.Context, e env, g *globalOptions, o dlqRedriveOptions) error {
	q, err := o.request()
	if err != nil {
		return err
	}
	t, err := newTarget(e, g)
	if err != nil {
		return err
	}
	defer t.close()
	r, err := redriveAll(ctx, e, t, &o, q)
	if err != nil {
		return err
	}
	if g.json {
		err = writeJSON(e.stdout, r)
	} else {
		err = writeRedrive(e.stdout, r)
	}
	if err = errors.Join(r.err, err); err != nil {
		return err
	}
	if o.execute && (r.Redriven > 0 || r.Kafka.Records > 0) {
		if why := t.idle(); why != "" {
			fmt.Fprintln(e.stderr, why)
		}
	}
	return nil
}

// redriven is what --json writes.
type redriven struct {
	Executed bool `json:"executed"`
	redrive.Result
	Kafka redrive.ReplayResult `json:"kafka"`

	err error // why not all of it was done
}

// redriveAll redrives what the request chooses. The error is of what failed before anything
// was done; what failed later is in the result.
func redriveAll(ctx context.Context, e env, t target, o *dlqRedriveOptions, q redrive.Request) (*redriven, error) {
	engine, err := redriver(ctx, e, t, e.now)
	if err != nil {
		return nil, err
	}
	replayer, end, err := o.kafka.replayer(ctx, e, t)
	if err != nil {
		return nil, err
	}
	defer end()
	r := &redriven{Executed: o.execute}
	var err1, err2 error
	r.Result, err1 = engine.Run(ctx, q)
	if r.Failed > 0 {
		err1 = errors.Join(err1, fmt.Errorf("%s could not be sent and stay where they are: %s", count(r.Failed, "dead letter"), strings.Join(r.Problems, "; ")))
	}
	r.Kafka, err2 = o.kafka.replay(ctx, replayer, q, r.Result)
	r.err = errors.Join(err1, err2)
	return r, nil
}

// writeRedrive says what was done, or would be.
func writeRedrive(w io.Writer, r *redriven) error {
	var b bytes.Buffer
	send, move := "sent", "moved"
	if !r.Executed {
		send, move = "would send", "would move"
	}
	kafka := writeReplay(r.Executed, &r.Kafka)
	if r.Redriven+r.Quarantined+r.Failed == 0 && kafka == "" {
		b.WriteString("nothing to redrive\n")
	}
	if r.Redriven > 0 {
		fmt.Fprintf(&b, "%s %s back\n", send, count(r.Redriven, "dead letter"))
	}
	if r.Quarantined > 0 {
		fmt.Fprintf(&b, "%s %s to the quarantine: they have come back too often\n", move, count(r.Quarantined, "dead letter"))
	}
	reasons := slices.SortedFunc(maps.Keys(r.ByReason), func(x, y fault.Reason) int {
		return cmp.Or(cmp.Compare(r.ByReason[y], r.ByReason[x]), cmp.Compare(x, y))
	})
	for _, reason := range reasons {
		fmt.Fprintf(&b, "%8s  %s\n", number(r.ByReason[reason]), reason)
	}
	if r.Left > 0 {
		fmt.Fprintf(&b, "%s not chosen\n", count(r.Left, "dead letter"))
	}
	b.WriteString(kafka)
	if !r.Executed && (r.Redriven+r.Quarantined > 0 || r.Kafka.Records > 0) {
		b.WriteString("\nNothing was done yet: add --execute to do it.\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}
