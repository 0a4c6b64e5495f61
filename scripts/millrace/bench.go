package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/bench"
	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

type benchOptions struct {
	events     int
	rate       int
	inFlight   int
	size       int
	bad, again float64
	pollers    int
	milestones []int
	profile    string
	kafka      string
	cluster    clusterOptions
	servers    []int
}

func newBench(e env, g *globalOptions) *cobra.Command {
	var o benchOptions
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure the pipeline on this machine",
		Long: "Run a pipeline of its own, in a directory that is deleted afterwards, send it events through its Kafka at a known rate, " +
			"and report events/s, latency from Kafka to store, CPU and memory. The generator and the broker run in the same process, and are in the CPU figure. " +
			"A profile, sampled while it runs, says which part and which step the CPU went to, and how much of it is in neither.\n\n" +
			"Events are the real flights of 1 January 2013 with ids of their own (0.55 KB each, checked against their schema, through a handler), or with --size invented orders (no schema, no handler).\n\n" +
			"With --rate the load is open: events that wait get older, and the latency says so. Without it events are sent as fast as they are taken, " +
			"and the latency is that of the backlog; --in-flight bounds that.\n\n" +
			"With --json: {\"sent\", \"stored\", \"duplicates\", \"dropped\", \"dead\", \"seconds\", \"events_per_second\", \"cpu_us_per_event\", \"servers_cpu_us_per_event\", " +
			"\"p50_ms\", \"p99_ms\", \"p999_ms\", \"peak_memory_bytes\", \"cores\", \"pollers\", \"cpu_parts_us_per_event\", \"cpu_steps_us_per_event\", \"cpu_unattributed\" (0 to 1), \"schema_us_per_event\", " +
			"\"milestones\": [{\"events\", \"window\", \"events_per_second\", \"cpu_us_per_event\", \"servers_cpu_us_per_event\", \"peak_memory_bytes\", \"disk_bytes\"}]}.",
		Example: "  millrace bench\n" +
			"  millrace bench --rate 60000 --events 3600000\n" +
			"  millrace bench --events 20000000 --in-flight 100000 --milestones 1000000,5000000,20000000\n" +
			"  millrace bench --size 1100 --bad 0.001 --again 0.1 --pollers 4\n" +
			"  millrace bench --kafka localhost:9092 --mongo mongodb://localhost/?replicaSet=rs0 --rate 30000 --events 1800000",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runBench(c.Context(), e, g, o) },
	}
	c.Flags().IntVar(&o.events, "events", 300_000, "how many `events`")
	c.Flags().IntVar(&o.rate, "rate", 0, "`events` a second; 0 for as fast as they are taken")
	c.Flags().IntVar(&o.inFlight, "in-flight", 0, "the most `events` under way at once; 0 for no bound")
	c.Flags().IntVar(&o.size, "size", 0, "`bytes` of an event; 0 for real flights")
	c.Flags().Float64Var(&o.bad, "bad", 0, "`part` of the events that is malformed, 0 to 1")
	c.Flags().Float64Var(&o.again, "again", 0, "`part` of the events that was sent before, 0 to 1")
	pollersFlag(c, &o.pollers)
	c.Flags().IntSliceVar(&o.milestones, "milestones", nil, "report the last million events before each of these `numbers` too, and the memory and disk used by then")
	c.Flags().StringVar(&o.kafka, "kafka", "", "send through these Kafka `brokers` (host:port, separated by commas), in a topic that is deleted afterwards")
	o.cluster.security(c)
	c.Flags().IntSliceVar(&o.servers, "server-pids", nil, "processes on this machine, such as mongod, whose CPU is reported too")
	c.Flags().StringVar(&o.profile, "cpuprofile", "", "write a CPU profile to this `file`")
	return c
}

func (o *benchOptions) validate() error {
	switch {
	case o.events < 1:
		return usageError("--events is %d: it must be at least 1", o.events)
	case o.rate < 0:
		return usageError("--rate is %d: it must not be negative", o.rate)
	case o.inFlight < 0:
		return usageError("--in-flight is %d: it must not be negative", o.inFlight)
	case slices.ContainsFunc(o.milestones, func(n int) bool { return n < 1 || n > o.events }):
		return usageError("--milestones are numbers of events: 1 to --events")
	case o.size != 0 && o.size < 400:
		return usageError("--size is %d: it must be 0 or at least 400", o.size)
	case o.bad < 0 || o.bad > 1 || o.again < 0 || o.again > 1:
		return usageError("--bad and --again are parts: 0 to 1")
	}
	return checkPollers(o.pollers)
}

func runBench(ctx context.Context, e env, g *globalOptions, o benchOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	run := bench.Options{Servers: o.servers, Milestones: o.milestones}
	if run.Load, err = o.load(); err != nil {
		return err
	}
	if run.Pipeline, err = o.pipeline(e, g, filepath.Join(dir, "data")); err != nil {
		return err
	}
	cleanUp, err := bench.Prepare(ctx, &run.Pipeline)
	if err != nil {
		return errors.Join(err, cleanUp())
	}
	r, err := bench.Run(ctx, run)
	if err = errors.Join(err, cleanUp()); err != nil {
		return err
	}
	if o.profile != "" {
		if err := os.WriteFile(o.profile, r.Profile, 0o644); err != nil {
			return err
		}
	}
	return writeBench(e, g, r, run.Pipeline.Pollers)
}

func (o *benchOptions) load() (bench.Load, error) {
	l := bench.Load{Rate: o.rate, InFlight: o.inFlight, Events: o.events, Bad: o.bad, Again: o.again}
	if o.size > 0 {
		l.Template = bench.Orders(o.size)
		return l, nil
	}
	var err error
	l.Template, err = bench.Flights()
	return l, err
}

// pipeline is what is measured, in the data directory dir.
func (o *benchOptions) pipeline(e env, g *globalOptions, dir string) (p embedded.Options, err error) {
	p = embedded.Options{
		Data: dir, Mongo: g.mongoURI(e), Listen: "127.0.0.1:0", Kafka: embedded.KafkaOptions{Listen: "127.0.0.1:0"}, Pollers: o.pollers, Now: e.now,
	}
	if p.Pollers == 0 {
		p.Pollers = embedded.DefaultPollers(p.Mongo)
	}
	if p.Settings, err = spec.Load(e.environ); err != nil {
		return p, err
	}
	if p.Handlers, err = function.Handlers(p.Settings); err != nil {
		return p, err
	}
	if p.Schema, err = function.Schemas(p.Settings); err != nil {
		return p, err
	}
	p.Log = runLog(e, p.Settings)
	if o.kafka != "" {
		p.Kafka.Config, err = o.cluster.config(e, o.kafka)
	}
	return p, err
}
