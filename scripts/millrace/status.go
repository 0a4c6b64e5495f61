package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

type statusOptions struct {
	cluster clusterOptions
	watch   bool
	every   time.Duration
}

func newStatus(e env, g *globalOptions) *cobra.Command {
	var o statusOptions
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what the pipeline is doing",
		Long: "Show whether the pipeline runs, how many events it has taken, stored, dropped and dead-lettered, " +
			"how many are on their way, how full its queues are, how far it is behind Kafka, and how long events take.\n\n" +
			"persisted, dead and in_flight are what is there now; in, duplicates and dropped count from the pipeline's first start on, " +
			"and again what a crash repeated; they are up to a second behind. The latency is of the last 5 minutes, the rate of the last 10 seconds.\n\n" +
			"Of a deployed pipeline (--target) the counts of queues are approximate, and what comes from CloudWatch is some two minutes behind: " +
			"in, duplicates and dropped are of the last 15 months, the rate of the last 5 minutes. The lag is what the pipeline reports, " +
			"or with --kafka what these brokers say. What cannot be known, such as the events in messages under way, is \"-\".\n\n" +
			"With --json the same names are the keys: \"in\", \"persisted\", \"duplicates\", \"dropped\", \"dead\", \"in_flight\", " +
			"\"consumer_lag\", \"events_per_second\", \"p50_ms\", \"p99_ms\", \"queues\" by name, and \"running\" (null when nothing runs), of a deployed pipeline \"deployment\". " +
			"What is not known is null.",
		Example: "  millrace status\n" +
			"  millrace status --watch\n" +
			"  millrace status --json | jq '{in, persisted, dead, in_flight}'\n" +
			"  millrace status --target aws --env prod",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runStatus(c.Context(), e, g, o) },
	}
	c.Flags().BoolVar(&o.watch, "watch", false, "go on showing it until interrupted; with --json, a line each time")
	c.Flags().DurationVar(&o.every, "every", 2*time.Second, "how often, with --watch")
	c.Flags().StringVar(&o.cluster.brokers, "kafka", "", "of a deployed pipeline: ask these Kafka `brokers` (host:port, separated by commas) for the lag")
	c.Flags().StringVar(&o.cluster.topic, "topic", embedded.Topic, "its `topic`, with --kafka")
	c.Flags().StringVar(&o.cluster.group, "group", "", "its consumer `group`, with --kafka; \"\" for millrace-<env>-ingest")
	o.cluster.security(c)
	return c
}

// statusJSON is what --json writes.
type statusJSON struct {
	Running    *embedded.Running `json:"running"`
	Deployment *deployment       `json:"deployment,omitempty"` // of a deployed pipeline
	ops.Status
}

// clearScreen moves to the top left and clears what is below (ECMA-48).
const clearScreen = "\x1b[H\x1b[J"

func runStatus(ctx context.Context, e env, g *globalOptions, o statusOptions) error {
	if o.every < 100*time.Millisecond {
		return usageError("--every is %v: it must be at least 100ms", o.every)
	}
	t, err := newTarget(e, g)
	if err != nil {
		return err
	}
	defer t.close()
	for {
		s, err := t.status(ctx, &o.cluster)
		if err != nil {
			return err
		}
		if err := writeStatus(e, g, o, &s); err != nil {
			return err
		}
		if !o.watch {
			if len(s.Problems) > 0 {
				return fmt.Errorf("not everything could be found out: %s", strings.Join(s.Problems, "; "))
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return nil // the end of watching is no failure
		case <-time.After(o.every):
		}
	}
}

func writeStatus(e env, g *globalOptions, o statusOptions, s *statusJSON) error {
	if g.json {
		return writeJSON(e.stdout, s)
	}
	var b bytes.Buffer
	if o.watch && e.isTerminal(e.stdout) {
		b.WriteString(clearScreen)
	}
	if err := formatStatus(&b, g.data, s, e.now()); err != nil {
		return err
	}
	if o.watch {
		for _, p := range s.Problems {
			fmt.Fprintf(&b, "\nnot found out: %s\n", oneLine(p))
		}
	}
	_, err := e.stdout.Write(b.Bytes())
	return err
}

func formatStatus(w io.Writer, dir string, s *statusJSON, now time.Time) error {
	if d := s.Deployment; d != nil {
		fmt.Fprintf(w, "%s\n\n", d)
	} else if r := s.Running; r != nil {
		fmt.Fprintf(w, "running in %s since %s (%s), process %d\n", dir, timestamp(r.Started), spec.FormatAge(now.Sub(r.Started)), r.PID)
		fmt.Fprintf(w, "HTTP http://%s/events, Kafka %s, topic %s\n\n", r.HTTP, strings.Join(r.Kafka, ","), r.Topic)
	} else {
		fmt.Fprintf(w, "nothing is running in %s: `millrace run` starts it\n\n", dir)
	}
	t := newTable("EVENTS", ">")
	t.add("in", known(s.In, number[int64]))
	t.add("persisted", known(s.Persisted, number[int64]))
	t.add("duplicates", known(s.Duplicates, number[int64]))
	t.add("dropped", known(s.Dropped, number[int64]))
	t.add("dead", known(s.Dead, number[int64]))
	t.add("in flight", known(s.InFlight, number[int64]))
	t.add("consumer lag", known(s.ConsumerLag, number[int64]))
	t.add("events/s", known(s.PerSecond, wholeNumber))
	t.add("p50", known(s.P50, milliseconds))
	t.add("p99", known(s.P99, milliseconds))
	if err := t.write(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return queueTable(s.Queues).write(w)
}

func queueTable(queues map[string]ops.QueueStatus) *table {
	t := newTable("QUEUE (messages)", ">VISIBLE", ">IN FLIGHT", ">DELAYED", ">OLDEST")
	for _, name := range append(ops.QueueNames(), ops.FurtherQueues()...) {
		q, ok := queues[name]
		if !ok {
			continue
		}
		oldest := "-"
		if q.Total() > 0 && q.Oldest > 0 {
			oldest = spec.FormatAge(q.Oldest)
		}
		t.add(name, number(q.Visible), number(q.InFlight), number(q.Delayed), oldest)
	}
	return t
}

// known writes a value, or "-" where nobody knows it.
func known[T any](v *T, format func(T) string) string {
	if v == nil {
		return "-"
	}
	return format(*v)
}

func wholeNumber(v float64) string { return number(int64(v)) }

func milliseconds(ms float64) string { return latency(time.Duration(ms * float64(time.Millisecond))) }
