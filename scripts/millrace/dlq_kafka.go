package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/redrive"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// dlqKafkaOptions are the flags about batches of Kafka records that Lambda gave up on.
type dlqKafkaOptions struct {
	cluster     clusterOptions
	discardLost bool
}

func (o *dlqKafkaOptions) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.cluster.brokers, "kafka", "", "read the records of batches that Lambda gave up on from these Kafka `brokers` (host:port, separated by commas)")
	c.Flags().BoolVar(&o.discardLost, "discard-lost", false, "let go of such a batch though Kafka has deleted records of it")
	o.cluster.security(c)
}

// replayer reads from the Kafka of the flags; without one it can only count. end closes it.
func (o *dlqKafkaOptions) replayer(ctx context.Context, e env, t target) (p *redrive.Replayer, end func(), err error) {
	settings, err := spec.Load(e.environ)
	if err != nil {
		return nil, nil, err
	}
	q, err := t.queues(ctx)
	if err != nil {
		return nil, nil, err
	}
	p = &redrive.Replayer{
		Queues: q.broker, Claims: q.claims, ClaimOver: settings.ClaimBytes, DiscardLost: o.discardLost, Now: e.now,
	}
	if o.cluster.brokers == "" {
		return p, func() {}, nil
	}
	c, err := o.cluster.config(e, o.cluster.brokers)
	if err != nil {
		return nil, nil, err
	}
	c.ClientID = "millrace-redrive"
	r, err := kafkaio.NewReader(ctx, &c)
	if err != nil {
		return nil, nil, err
	}
	p.Records = r
	return p, r.Close, nil
}

// replay does what the request asks for. Where no Kafka is named it counts, and the error
// says what is missing.
func (o *dlqKafkaOptions) replay(ctx context.Context, p *redrive.Replayer, q redrive.Request, before redrive.Result) (redrive.ReplayResult, error) {
	execute := !q.DryRun
	q.DryRun = q.DryRun || p.Records == nil
	r, err := p.Run(ctx, q, before)
	if err != nil || !execute {
		return r, err
	}
	var errs []error
	if r.Failed > 0 {
		errs = append(errs, fmt.Errorf("not redriven, %s of Kafka records: %s", countOf(r.Failed, "batch", "batches"), strings.Join(r.Problems, "; ")))
	}
	if n := r.Batches; n > 0 && p.Records == nil {
		r.Batches, r.Records, r.Failed = 0, 0, r.Failed+n
		errs = append(errs, fmt.Errorf("not redriven, %s of Kafka records: no Kafka is named to read them from: give --kafka %s, or choose others with --stage or --reason",
			countOf(n, "batch", "batches"), cmp.Or(r.Servers, "host:port")))
	}
	if r.Left > 0 {
		errs = append(errs, errors.New("records that Kafka has deleted are lost: --discard-lost lets go of their batches"))
	}
	return r, errors.Join(errs...)
}

// writeReplay says what was done, or would be; "" where there was nothing to do.
func writeReplay(executed bool, r *redrive.ReplayResult) string {
	var b strings.Builder
	batches := r.Batches + r.Left
	switch {
	case batches == 0:
	case executed:
		fmt.Fprintf(&b, "sent %s to ingest: of %s that Lambda gave up on\n", count(r.Records, "Kafka record"), countOf(batches, "batch", "batches"))
	default:
		fmt.Fprintf(&b, "would send the Kafka records of %s to ingest: of %s that Lambda gave up on\n", count(r.Records, "offset"), countOf(batches, "batch", "batches"))
	}
	for _, s := range r.Lost {
		fmt.Fprintf(&b, "lost: %s (%s): Kafka has deleted the records, by the topic's retention\n", s, count(s.Offsets(), "offset"))
	}
	switch {
	case r.Left == 1:
		b.WriteString("1 batch stays for what it lost, until --discard-lost\n")
	case r.Left > 1:
		fmt.Fprintf(&b, "%s batches stay for what they lost, until --discard-lost\n", number(r.Left))
	}
	if !executed {
		if batches > 0 && r.Unchecked {
			fmt.Fprintf(&b, "what Kafka has deleted of them is not known: give --kafka %s\n", cell(cmp.Or(r.Servers, "host:port")))
		}
		for _, p := range r.Problems {
			fmt.Fprintf(&b, "not possible: %s\n", cell(p))
		}
	}
	return b.String()
}

// writeBatches says which records the batches among the dead letters are about.
func writeBatches(w io.Writer, letters []ops.DeadLetter) error {
	t := newTable("KAFKA BATCH", "WHY", ">RECORDS", "WHERE")
	for i := range letters {
		l := &letters[i]
		if l.Reason != fault.KafkaDiscarded {
			continue
		}
		if l.Batch == nil {
			t.add(l.ID, "-", "-", l.Problem)
			continue
		}
		for j, s := range l.Batch.Spans {
			if j == 0 {
				t.add(l.ID, l.Batch.Condition, number(l.Batch.Records), s.String())
			} else {
				t.add(" ", " ", " ", s.String())
			}
		}
	}
	if len(t.rows) == 0 {
		return nil
	}
	if err := t.write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// writeBatch says of one batch where its records are.
func writeBatch(line func(name, value string), d *redrive.Discarded) {
	if d == nil {
		return
	}
	line("Function", d.Function)
	line("Answer", d.Error)
	line("Records", number(d.Records))
	line("Brokers", cmp.Or(d.Servers, "not said"))
	for _, s := range d.Spans {
		line("Kafka", fmt.Sprintf("%s (%s)", s, count(s.Offsets(), "offset")))
	}
}

// countOf is count for nouns with a plural of their own.
func countOf[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}
