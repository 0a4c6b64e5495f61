// Package embedded runs the whole pipeline in one process: pollers that stand in for
// Lambda's event source mappings call the same handlers with the same JSON, over queues
// with the semantics of SQS and an event store, both SQLite files in a data directory.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/metrics"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/stage/ingest"
)

// Topic is the Kafka topic that ingest reads by default, and Group its consumer group.
const (
	Topic = "events"
	Group = "millrace-ingest"
)

// How many invocations of each stage run at once by default. MongoDB is waited for, and
// two writers left it idle in between: 30,000 flights/s had a p99 above 1 s with two and
// 643 ms with three, on 2 cores. SQLite has one writer, and more pollers only share it.
const (
	embeddedPollers = 2
	mongoPollers    = 3
)

// DefaultPollers is the Pollers of Options that do not say.
func DefaultPollers(mongo string) int {
	if mongo != "" {
		return mongoPollers
	}
	return embeddedPollers
}

// mongoWindow is how long persist waits for a full batch: a write of MongoDB costs as much
// for ten events as for a hundred, and small ones took a third of its CPU at 30,000 events/s.
const mongoWindow = 60 * time.Millisecond

const stopWithin = 40 * time.Second

// Options of Start.
type Options struct {
	Data    string // directory
	Listen  string // host:port of the HTTP front door; port 0 picks a free one
	Kafka   KafkaOptions
	Mongo   string // connection string of the event store; "": it is in the data directory
	Pollers int    // invocations of each stage at once; 0: DefaultPollers(Mongo)

	Settings spec.Settings
	Schema   ingest.Checker // nil: none
	Handlers *handlers.Registry
	Observe  func(*pipeline.Report) // besides the recording of metrics; nil: nobody
	Log      *slog.Logger
	Now      func() time.Time
}

// Pipeline is a running pipeline.
type Pipeline struct {
	o       Options
	data    *Data
	lock    *os.File
	metrics *metrics.Recorder
	running Running

	server   *http.Server
	listener net.Listener
	kafka    *kafkaSource
	redrive  lambdaio.Handler

	stop    context.CancelFunc // of what fetches new work
	working sync.WaitGroup
	failed  chan error // the first reason why it cannot go on
	closeMu sync.Once
	closed  error
}

// Start opens the data directory and starts everything. The error is one line that says
// what is wrong; then nothing runs.
func Start(ctx context.Context, o Options) (_ *Pipeline, err error) {
	if o.Pollers == 0 {
		o.Pollers = DefaultPollers(o.Mongo)
	}
	o.Kafka.setDefaults()
	p := &Pipeline{o: o, failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			_ = p.Close()
		}
	}()
	if err := os.MkdirAll(o.Data, 0o755); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if p.lock, err = lockDir(o.Data); err != nil {
		return nil, err
	}
	if p.data, err = OpenData(ctx, DataOptions{Dir: o.Data, Create: true, Mongo: o.Mongo, Aggregate: o.Handlers.Aggregates}); err != nil {
		return nil, err
	}
	if p.metrics, err = metrics.Open(ctx, filepath.Join(o.Data, metricsFile), metrics.Options{
		Now: o.Now, OnError: func(err error) { o.Log.Error("metrics are not written", "error", err) },
	}); err != nil {
		return nil, err
	}
	if err := p.prepare(ctx); err != nil {
		return nil, err
	}
	if p.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen); err != nil {
		return nil, fmt.Errorf("HTTP front door: %w", err)
	}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	return p, p.announce()
}

// prepare brings the directory of a process that ended, however it ended, in order.
func (p *Pipeline) prepare(ctx context.Context) error {
	if err := createQueues(ctx, p.data.Queues); err != nil {
		return err
	}
	// The lock is ours: whoever received these messages is gone.
	if n, err := p.data.Queues.ReleaseInFlight(ctx, queueNames()...); err != nil {
		return fmt.Errorf("release messages in flight: %w", err)
	} else if n > 0 {
		p.o.Log.Info("messages that an ended process held are delivered again", "messages", n)
	}
	return p.data.Claims.Sweep(p.o.Now(), claimsKeep)
}

// start starts everything that fetches work, and the front door.
func (p *Pipeline) start(ctx context.Context) error {
	parts := p.parts()
	process, err := parts.Process()
	if err != nil {
		return err
	}
	p.redrive = p.counted(spec.Redrive, parts.Redrive())
	handler := map[string]lambdaio.Handler{
		spec.Ingest:  p.counted(spec.Ingest, parts.Ingest()),
		spec.Process: p.counted(spec.Process, process),
		spec.Persist: p.counted(spec.Persist, parts.Persist()),
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	for _, s := range spec.Stages {
		for range p.o.Pollers {
			if err := p.poll(run, s.Queue(), handler[s.Name], s.BatchSize, s.Timeout); err != nil {
				return err
			}
		}
	}
	if err := p.poll(run, spec.Redrive, p.redrive, 1, spec.RedriveTimeout); err != nil {
		return err
	}
	ingestStage, _ := spec.StageByName(spec.Ingest)
	if p.kafka, err = startKafka(ctx, p.o, handler[spec.Ingest], ingestStage.Timeout); err != nil {
		return err
	}
	p.working.Go(func() { asPart(spec.Ingest, func() { p.kafka.run(run) }) })
	p.working.Go(func() { p.kafka.trim(run) })
	p.working.Go(func() { p.schedule(run) })
	p.working.Go(func() { asPart(PartMetrics, func() { _ = p.metrics.Run(run) }) }) // its errors go to OnError
	p.working.Go(func() { asPart(PartMetrics, func() { p.monitor(run) }) })
	alarms, err := p.startAlarms(run)
	if err != nil {
		return err
	}
	p.working.Go(func() { asPart(PartMetrics, alarms) })
	p.serve(handler[spec.Ingest], ingestStage.Timeout)
	return nil
}

func (p *Pipeline) poll(ctx context.Context, name string, h lambdaio.Handler, batch int, timeout time.Duration) error {
	q, err := p.data.Queues.Queue(ctx, name)
	if err != nil {
		return err
	}
	w := &poller{name: name, queue: q, handler: h, batch: batch, timeout: timeout, log: p.o.Log}
	if name == spec.Persist && p.o.Mongo != "" {
		w.window = mongoWindow
	}
	p.working.Go(func() { asPart(name, func() { w.run(ctx) }) })
	return nil
}

// parts are what the four handlers are made of here.
func (p *Pipeline) parts() *function.Parts {
	sender := func(name string) pipeline.Sender {
		q, err := p.data.Queues.Queue(context.Background(), name)
		if err != nil { // createQueues has made them all
			panic(err)
		}
		return q
	}
	return &function.Parts{
		Settings: p.o.Settings,
		Topic:    sender, // a topic with one subscription that delivers raw is its queue
		Queue:    sender,
		Claims:   p.data.Claims,
		Schema:   p.o.Schema,
		Handlers: p.o.Handlers,
		Leases:   p.data.Events,
		Store:    p.data.Events,
		Queues:   p.data.Queues,
		Observe:  p.observe,
		Now:      p.o.Now,
	}
}

func (p *Pipeline) observe(r pipeline.Report) {
	p.metrics.Record(&r)
	if p.o.Observe != nil {
		p.o.Observe(&r)
	}
}

// schedule invokes dlq-redrive as EventBridge does.
func (p *Pipeline) schedule(ctx context.Context) {
	tick := time.NewTicker(spec.RedriveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			call, cancel := context.WithTimeout(context.WithoutCancel(ctx), spec.RedriveTimeout)
			payload := fmt.Appendf(nil, `{"detail-type":"Scheduled Event","source":"aws.events","id":"embedded","time":%q,"resources":[]}`,
				now.UTC().Format(time.RFC3339))
			if _, err := p.redrive(call, payload); err != nil {
				p.o.Log.Error("the scheduled redrive failed", "error", err)
			}
			cancel()
		}
	}
}

func (p *Pipeline) serve(h lambdaio.Handler, timeout time.Duration) {
	door := &frontDoor{
		ingest: h, timeout: timeout, maxBody: int64(p.o.Settings.MaxEventBytes),
		ready: p.ready, log: p.o.Log, now: p.o.Now,
	}
	p.server = &http.Server{Handler: door.routes(), ReadHeaderTimeout: 10 * time.Second}
	p.working.Go(func() {
		var err error
		asPart(PartHTTP, func() { err = p.server.Serve(p.listener) })
		if !errors.Is(err, http.ErrServerClosed) {
			p.fail(fmt.Errorf("HTTP front door: %w", err))
		}
	})
}

// ready checks every part that an event needs.
func (p *Pipeline) ready(ctx context.Context) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, queueErr := p.data.Queues.Depths(ctx, spec.Process)
	return map[string]error{"kafka": p.kafka.ping(ctx), "queues": queueErr, "store": p.data.Events.Check(ctx)}
}

// announce tells other processes where this one is.
func (p *Pipeline) announce() error {
	p.running = Running{
		PID: os.Getpid(), HTTP: p.listener.Addr().String(), Kafka: p.kafka.servers, Topic: p.o.Kafka.Topic, Group: p.o.Kafka.Group, Started: p.o.Now().UTC(),
	}
	return announce(p.o.Data, p.running)
}

// Running says where the pipeline listens.
func (p *Pipeline) Running() Running { return p.running }

// Data is the pipeline's open data directory.
func (p *Pipeline) Data() *Data { return p.data }

func (p *Pipeline) fail(err error) {
	select {
	case p.failed <- err:
	default:
	}
}

// Wait returns when ctx is done, with nil, or when the pipeline cannot go on.
func (p *Pipeline) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-p.failed:
		return err
	}
}

// Close stops: no new work is fetched, invocations under way end and are acknowledged,
// Kafka offsets are committed. What is still in queues is there at the next Start.
func (p *Pipeline) Close() error {
	p.closeMu.Do(func() { p.closed = p.close() })
	return p.closed
}

func (p *Pipeline) close() error {
	var errs []error
	if p.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
		errs = append(errs, p.server.Shutdown(ctx))
		cancel()
	} else if p.listener != nil {
		errs = append(errs, p.listener.Close())
	}
	if p.stop != nil {
		p.stop()
	}
	p.working.Wait()
	if p.kafka != nil {
		errs = append(errs, p.kafka.close())
	}
	if p.metrics != nil {
		errs = append(errs, p.metrics.Close())
	}
	if p.data != nil {
		errs = append(errs, p.data.Close())
	}
	if p.running.PID != 0 {
		if err := os.Remove(filepath.Join(p.o.Data, runFile)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if p.lock != nil {
		errs = append(errs, p.lock.Close()) // releases the lock
	}
	return errors.Join(errs...)
}
