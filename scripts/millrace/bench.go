package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/bench"
	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

type benchOptions struct {
	events     int
	rate       int
	size       int
	bad, again float64
	pollers    int
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
			"and report events/s, latency from Kafka to store, CPU and memory. The generator and the broker run in the same process, and are in the CPU figure.\n\n" +
			"Events are the real flights of 1 January 2013 with ids of their own (0.55 KB each, through a handler), or with --size invented orders (no handler).\n\n" +
			"With --rate the load is open: events that wait get older, and the latency says so. Without it events are sent as fast as they are taken, " +
			"and the latency is that of the backlog.\n\n" +
			"With --json: {\"sent\", \"stored\", \"duplicates\", \"dropped\", \"dead\", \"seconds\", \"events_per_second\", \"cpu_us_per_event\", \"servers_cpu_us_per_event\", \"p50_ms\", \"p99_ms\", \"p999_ms\", \"peak_memory_bytes\", \"cores\"}.",
		Example: "  millrace bench\n" +
			"  millrace bench --rate 60000 --events 3600000\n" +
			"  millrace bench --size 1100 --bad 0.001 --again 0.1 --pollers 4\n" +
			"  millrace bench --kafka localhost:9092 --mongo mongodb://localhost/?replicaSet=rs0 --rate 30000 --events 1800000",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runBench(c.Context(), e, g, o) },
	}
	c.Flags().IntVar(&o.events, "events", 300_000, "how many `events`")
	c.Flags().IntVar(&o.rate, "rate", 0, "`events` a second; 0 for as fast as they are taken")
	c.Flags().IntVar(&o.size, "size", 0, "`bytes` of an event; 0 for real flights")
	c.Flags().Float64Var(&o.bad, "bad", 0, "`part` of the events that is malformed, 0 to 1")
	c.Flags().Float64Var(&o.again, "again", 0, "`part` of the events that was sent before, 0 to 1")
	c.Flags().IntVar(&o.pollers, "pollers", embedded.DefaultPollers, "invocations of each stage at once, 1 to 16")
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
	l := bench.Load{Template: bench.Orders(o.size), Rate: o.rate, Events: o.events, Bad: o.bad, Again: o.again}
	if o.size == 0 {
		var err error
		if l.Template, err = bench.Flights(); err != nil {
			return err
		}
	}
	settings, err := spec.Load(e.environ)
	if err != nil {
		return err
	}
	registry, err := function.Handlers(settings)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	options := embedded.Options{
		Data: filepath.Join(dir, "data"), Mongo: g.mongoURI(e), Listen: "127.0.0.1:0", Kafka: embedded.KafkaOptions{Listen: "127.0.0.1:0"},
		Pollers: o.pollers, Settings: settings, Handlers: registry, Log: runLog(e, settings), Now: e.now,
	}
	if o.kafka != "" {
		if options.Kafka.Config, err = o.cluster.config(e, o.kafka); err != nil {
			return err
		}
	}
	cleanUp, err := bench.Prepare(ctx, &options)
	if err != nil {
		return errors.Join(err, cleanUp())
	}
	r, err := profiled(o.profile, func() (*bench.Result, error) { return bench.Run(ctx, options, l, o.servers...) })
	if err = errors.Join(err, cleanUp()); err != nil {
		return err
	}
	return writeBench(e, g, r)
}

// profiled runs f with a CPU profile into the file; "" for none.
func profiled(file string, f func() (*bench.Result, error)) (*bench.Result, error) {
	if file == "" {
		return f()
	}
	w, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := pprof.StartCPUProfile(w); err != nil {
		return nil, err
	}
	defer pprof.StopCPUProfile()
	return f()
}

// perEvent is CPU time in microseconds for each event that ended.
func perEvent(r *bench.Result, d time.Duration) float64 {
	return float64(d.Nanoseconds()) / 1000 / float64(max(r.Stored+r.Dropped+r.Dead, 1))
}

// benchJSON is what --json writes.
type benchJSON struct {
	Sent       int     `json:"sent"`
	Stored     int     `json:"stored"`
	Duplicates int     `json:"duplicates"`
	Dropped    int     `json:"dropped"`
	Dead       int     `json:"dead"`
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"events_per_second"`
	CPU        float64 `json:"cpu_us_per_event"`
	ServersCPU float64 `json:"servers_cpu_us_per_event"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	P999       float64 `json:"p999_ms"`
	Memory     int     `json:"peak_memory_bytes"`
	Cores      int     `json:"cores"`
}

func writeBench(e env, g *globalOptions, r *bench.Result) error {
	ms := func(q float64) float64 { return float64(r.Latency.Quantile(q).Microseconds()) / 1000 }
	if g.json {
		return writeJSON(e.stdout, benchJSON{
			Sent: r.Sent, Stored: r.Stored, Duplicates: r.Duplicates, Dropped: r.Dropped, Dead: r.Dead,
			Seconds: r.Elapsed.Seconds(), PerSecond: r.PerSecond(), CPU: perEvent(r, r.CPU), ServersCPU: perEvent(r, r.ServersCPU),
			P50: ms(0.5), P99: ms(0.99), P999: ms(0.999), Memory: r.PeakMemory, Cores: runtime.GOMAXPROCS(0),
		})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s sent: %s stored (%s of them there before), %s dropped, %s dead-lettered, in %.1f s\n",
		count(r.Sent, "event"), number(r.Stored), number(r.Duplicates), number(r.Dropped), number(r.Dead), r.Elapsed.Seconds())
	fmt.Fprintf(&b, "%s events/s on %s, %.1f µs CPU an event (generator included), %s of memory\n",
		number(int64(r.PerSecond())), count(runtime.GOMAXPROCS(0), "core"), perEvent(r, r.CPU), size(r.PeakMemory))
	if r.ServersCPU > 0 {
		fmt.Fprintf(&b, "%.1f µs CPU an event in the servers\n", perEvent(r, r.ServersCPU))
	}
	fmt.Fprintf(&b, "latency p50 %s, p99 %s, p99.9 %s\n",
		latency(r.Latency.Quantile(0.5)), latency(r.Latency.Quantile(0.99)), latency(r.Latency.Quantile(0.999)))
	_, err := e.stdout.Write([]byte(b.String()))
	return err
}
