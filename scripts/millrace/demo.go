package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/bench"
	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/ops"
)

// demoPause is how often the demo looks whether its events have ended.
const demoPause = 20 * time.Millisecond

// runDemo sends a file through the running pipeline's Kafka, waits until every event of
// it has ended, and says what became of them and what to try next.
func runDemo(ctx context.Context, e env, g *globalOptions, p *embedded.Pipeline, tally *bench.Tally, file string, maxEvent int) error {
	in, err := openSource(e, file)
	if err != nil {
		return err
	}
	defer in.Close()
	d, err := newKafkaDoor(ctx, kafkaio.Config{Brokers: p.Running().Kafka}, p.Running().Topic)
	if err != nil {
		return err
	}
	defer d.close()
	start := e.now()
	sent, err := ops.Send(ctx, d, ops.SendRequest{Input: in, Unchecked: true, MaxLine: maxLine(maxEvent, true), Now: e.now})
	if err != nil {
		return err
	}
	for tally.Done() < sent.Sent {
		if err := sleep(ctx, demoPause); err != nil {
			return nil // interrupted: the pipeline's own end says so
		}
	}
	r := tally.Result()
	r.Elapsed = e.now().Sub(start)
	return demoSummary(ctx, e, g, p, sent.Sent, &r)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func demoSummary(ctx context.Context, e env, g *globalOptions, p *embedded.Pipeline, sent int, r *bench.Result) error {
	letters := ops.DeadLetters{Queues: p.Data().Queues, Claims: p.Data().Claims}
	dead, err := letters.List(ctx, ops.DeadLetterFilter{}, 0)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s in through Kafka\n", count(sent, "event"))
	persisted := count(r.Stored-r.Duplicates, "new event") + " persisted"
	if r.Duplicates > 0 {
		persisted += fmt.Sprintf(", %s there already: an event is kept once, however often it comes", number(r.Duplicates))
	}
	fmt.Fprintf(&b, "  %s\n", persisted)
	if r.Dropped > 0 {
		fmt.Fprintf(&b, "  %s dropped by a handler\n", number(r.Dropped))
	}
	fmt.Fprintf(&b, "  %s dead-lettered\n", number(dead.Total))
	for _, c := range dead.Counts {
		fmt.Fprintf(&b, "    %s  %s: %s\n", number(c.Count), c.Reason, c.Reason.Info().Meaning)
	}
	fmt.Fprintf(&b, "  %s events/s, latency p50 %s, p99 %s\n", number(int64(r.PerSecond())),
		latency(r.Latency.Quantile(0.5)), latency(r.Latency.Quantile(0.99)))
	data := ""
	if g.data != dataDefault {
		data = " --data " + g.data
	}
	fmt.Fprintf(&b, "\nIt goes on running; Ctrl-C ends it. Try in another terminal:\n"+
		"  build/millrace events list%[1]s --type gov.bts.flight.cancelled\n"+
		"  build/millrace events get%[1]s 2013-01-01/UA/1545/EWR/0515\n"+
		"  build/millrace status%[1]s\n"+
		"  curl -H 'content-type: application/cloudevents+json' --data @events-samples/com.github.push/event.json http://%[2]s/events\n",
		data, p.Running().HTTP)
	_, err = e.stdout.Write([]byte(b.String()))
	return err
}
