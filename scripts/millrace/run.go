package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/logs"
	"github.com/millrace-pipeline/millrace/shared/bench"
	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

type runOptions struct {
	listen      string
	kafka       string
	kafkaListen string
	cluster     clusterOptions
	pollers     int
	demo        string
}

func newRun(e env, g *globalOptions) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the whole pipeline on this machine",
		Long: "Run the whole pipeline in this process: Kafka, queues, the four handlers and the event store. " +
			"Everything it knows is in the data directory; kill -9 at any moment loses nothing, and the next run goes on.\n\n" +
			"Events come in through Kafka (its own broker, or the one that --kafka names) and with POST /events. " +
			"GET /healthz says whether it lives, GET /readyz whether it can take events now. " +
			"Ctrl-C or SIGTERM ends it: what is under way is finished first.",
		Example: "  millrace run\n" +
			"  millrace run --data /var/lib/millrace --listen :8080\n" +
			"  millrace run --kafka broker-1:9092,broker-2:9092 --mongo mongodb://db-1,db-2/millrace",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runRun(c.Context(), e, g, o) },
	}
	c.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` of the HTTP front door; port 0 takes a free one")
	c.Flags().StringVar(&o.kafka, "kafka", "", "read from these Kafka `brokers` (host:port, separated by commas) instead of its own")
	o.cluster.flags(c)
	pollersFlag(c, &o.pollers)
	c.Flags().StringVar(&o.demo, "demo", "", "send the events of this `file` first, and say what became of them")
	c.Flags().StringVar(&o.kafkaListen, "kafka-listen", "127.0.0.1:9092", "`address` of its own Kafka broker; port 0 takes a free one")
	return c
}

// kafkaOptions checks the flags about Kafka.
func (o *runOptions) kafkaOptions(e env) (k embedded.KafkaOptions, err error) {
	if k.Listen, err = listenAddress("--kafka-listen", o.kafkaListen); err != nil || o.kafka == "" {
		return k, err
	}
	if k.Config, err = o.cluster.config(e, o.kafka); err != nil {
		return k, err
	}
	k.Topic, k.Group = o.cluster.topic, o.cluster.group
	return k, nil
}

// brokers reads the flag --kafka.
func brokers(list string) ([]string, error) {
	b, err := kafkaio.ParseBrokers(list)
	if err != nil {
		return nil, usageError("--kafka: %w", err)
	}
	return b, nil
}

func listenAddress(flag, addr string) (string, error) {
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
		return "", usageError("%s %q is no address such as 127.0.0.1:8080 or :8080", flag, addr)
	}
	return addr, nil
}

// runRun starts the pipeline and waits for its end. A signal is the normal end: then it
// returns nil.
func runRun(ctx context.Context, e env, g *globalOptions, o runOptions) error {
	listen, err := listenAddress("--listen", o.listen)
	if err != nil {
		return err
	}
	kafka, err := o.kafkaOptions(e)
	if err != nil {
		return err
	}
	if err := checkPollers(o.pollers); err != nil {
		return err
	}
	if o.demo != "" && o.kafka != "" {
		return usageError("--demo sends events: it is for the pipeline's own Kafka, not for --kafka")
	}
	settings, err := spec.Load(e.environ)
	if err != nil {
		return err
	}
	registry, err := function.Handlers(settings)
	if err != nil {
		return err
	}
	schemas, err := function.Schemas(settings)
	if err != nil {
		return err
	}
	tally := new(bench.Tally)
	log := runLog(e, settings)
	p, err := embedded.Start(ctx, embedded.Options{
		Data: g.data, Mongo: g.mongoURI(e), Listen: listen, Kafka: kafka, Pollers: o.pollers,
		Settings: settings, Handlers: registry, Schema: schemas, Log: log, Now: e.now,
		Observe: func(r *pipeline.Report) {
			logs.Invocation(ctx, log, r)
			tally.Add(r)
		},
	})
	if err != nil {
		return err
	}
	err = writeRunning(e.stdout, g, p.Running())
	if err == nil && o.demo != "" {
		err = runDemo(ctx, e, g, p, tally, o.demo, settings.MaxEventBytes)
	}
	if err == nil {
		err = p.Wait(ctx)
	}
	return errors.Join(err, p.Close())
}

func pollersFlag(c *cobra.Command, n *int) {
	c.Flags().IntVar(n, "pollers", 0, fmt.Sprintf("invocations of each stage at once, 1 to 16; 0 for %d, with MongoDB %d",
		embedded.DefaultPollers(""), embedded.DefaultPollers("mongodb:")))
}

func checkPollers(n int) error {
	if n < 0 || n > 16 {
		return usageError("--pollers is %d: it must be 1 to 16, or 0 for the default", n)
	}
	return nil
}

// runLog writes to standard error: warnings and errors, unless the setting asks for
// another level. Invocations without a failure are at level info.
func runLog(e env, s spec.Settings) *slog.Logger {
	level := s.LogLevel
	if !slices.ContainsFunc(e.environ, func(kv string) bool { return strings.HasPrefix(kv, "MILLRACE_LOG_LEVEL=") }) {
		level = slog.LevelWarn
	}
	return logs.New(e.stderr, level, s.Env)
}

// writeRunning says where the pipeline is.
func writeRunning(w io.Writer, g *globalOptions, r embedded.Running) error {
	if g.json {
		return writeJSON(w, r)
	}
	_, err := fmt.Fprintf(w, "running in %s, process %d\nHTTP   http://%s/events\nKafka  %s, topic %s\n\n"+
		"Ctrl-C ends it. In another terminal: `millrace send FILE`, `millrace status --watch`\n",
		g.data, r.PID, r.HTTP, strings.Join(r.Kafka, ","), r.Topic)
	return err
}
