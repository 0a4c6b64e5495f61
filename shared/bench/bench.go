package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/metric"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/proc"
)

// Result of a Run.
type Result struct {
	Sent, Stored, Duplicates, Dropped, Dead int
	Elapsed                                 time.Duration // from the first event sent to the last one done
	Latency                                 metric.Histogram
	CPU                                     time.Duration // of this process: pipeline, own broker and generator
	ServersCPU                              time.Duration // of the servers whose process ids are given
	PeakMemory                              int           // bytes, resident

	Parts      Shares // of CPU, by sampling: what it does not know is missing
	Steps      Shares // the same time, by what is done to an event
	Profile    []byte // which both are from, in pprof's format
	Milestones []Milestone
}

// PerEvent is a time divided by the events that ended.
func (r *Result) PerEvent(d time.Duration) time.Duration {
	return d / time.Duration(max(r.done(), 1))
}

// Unattributed is the part of CPU, 0 to 1, that is in none of Parts.
func (r *Result) Unattributed() float64 {
	if r.CPU == 0 {
		return 0
	}
	return max(0, float64(r.CPU-r.Parts.Total())/float64(r.CPU))
}

// PerSecond is how many events were done a second.
func (r *Result) PerSecond() float64 { return float64(r.done()) / r.Elapsed.Seconds() }

func (r *Result) done() int { return r.Stored + r.Dropped + r.Dead }

// Tally adds up what reports say of events that ended.
type Tally struct {
	mu sync.Mutex
	r  Result
}

// Add is a function for embedded.Options.Observe.
func (t *Tally) Add(rep *pipeline.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r.Stored += rep.Stored
	t.r.Duplicates += rep.Duplicates
	t.r.Dropped += rep.Dropped
	t.r.Dead += rep.Dead
	for _, d := range rep.Latency {
		t.r.Latency.Add(d)
	}
}

// Done is how many events have ended.
func (t *Tally) Done() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.r.done()
}

// Result is what has been added up so far. Elapsed and what is the process's own is not
// known to it.
func (t *Tally) Result() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.r
	r.Latency = metric.Histogram{}
	r.Latency.Merge(&t.r.Latency)
	return r
}

// warmUp is how many events are sent and waited for before the clock starts: consumer
// groups, connections and caches.
const warmUp = 1000

// Options of Run.
type Options struct {
	Pipeline   embedded.Options // its Observe is set by Run
	Load       Load
	Servers    []int // processes whose CPU is reported too
	Milestones []int // numbers of events at which figures are taken, none above Load.Events
}

// Run starts a pipeline, sends the load through its Kafka and waits until every event has
// ended. It profiles the process meanwhile: no other CPU profile may be running.
func Run(ctx context.Context, o Options) (*Result, error) {
	for _, m := range o.Milestones {
		if m > o.Load.Events {
			return nil, fmt.Errorf("milestone %d lies after the last of %d events", m, o.Load.Events)
		}
	}
	tally := new(Tally)
	o.Pipeline.Observe = tally.Add
	p, err := embedded.Start(ctx, o.Pipeline)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var g *generator
	asGenerator(func() { g, err = startGenerator(ctx, &o, p, tally) })
	if err != nil {
		return nil, err
	}
	defer g.client.Close()
	var cpu bytes.Buffer
	if err := pprof.StartCPUProfile(&cpu); err != nil {
		return nil, err
	}
	r, err := g.measure(ctx, &o)
	pprof.StopCPUProfile()
	if err != nil {
		return nil, err
	}
	r.Profile = cpu.Bytes()
	r.Parts, r.Steps, err = attribute(r.Profile)
	return r, err
}

// asGenerator labels the generator's time in the profile, its Kafka client's included.
func asGenerator(f func()) {
	pprof.Do(context.Background(), pprof.Labels(embedded.PartLabel, PartGenerator), func(context.Context) { f() })
}

// startGenerator makes the generator and has the first events go through.
func startGenerator(ctx context.Context, o *Options, p *embedded.Pipeline, t *Tally) (*generator, error) {
	client, err := newClient(ctx, &o.Pipeline, p)
	if err != nil {
		return nil, err
	}
	g, err := newGenerator(o.Load, client, t)
	if err == nil {
		err = g.warm(ctx)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return g, nil
}

// measure sends the load and waits for its end.
func (g *generator) measure(ctx context.Context, o *Options) (*Result, error) {
	watch := watcher{tally: g.tally, servers: o.Servers, dir: o.Pipeline.Data}
	before, err := cpuOfAll(o.Servers)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	run, watched := errgroup.WithContext(ctx)
	run.Go(func() error { return watch.run(watched, o.Milestones) })
	asGenerator(func() { err = g.run(ctx) })
	if err == nil {
		err = g.tally.await(ctx, g.load.Events)
	}
	if err != nil {
		run.Go(func() error { return err }) // ends the watcher
	}
	if err := run.Wait(); err != nil {
		return nil, err
	}
	r := g.tally.Result()
	r.Sent, r.Elapsed, r.Milestones = g.load.Events, time.Since(start), watch.found
	after, err := cpuOfAll(o.Servers)
	if err != nil {
		return nil, err
	}
	r.CPU, r.ServersCPU = after.own-before.own, after.servers-before.servers
	r.PeakMemory, err = proc.PeakMemory(os.Getpid())
	return &r, err
}

// await waits until so many events have ended.
func (t *Tally) await(ctx context.Context, events int) error {
	for t.Done() < events {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d events have ended: %w", t.Done(), events, context.Cause(ctx))
		case <-time.After(tick):
		}
	}
	return nil
}

// reset begins anew.
func (t *Tally) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r = Result{}
}

type cpuTimes struct{ own, servers time.Duration }

func cpuOfAll(servers []int) (c cpuTimes, err error) {
	if c.own, err = cpuTime(); err != nil {
		return c, err
	}
	for _, pid := range servers {
		d, err := proc.CPU(pid)
		if err != nil {
			return c, err
		}
		c.servers += d
	}
	return c, nil
}

func newClient(ctx context.Context, o *embedded.Options, p *embedded.Pipeline) (*kgo.Client, error) {
	c := o.Kafka.Config
	c.Brokers = p.Running().Kafka
	return kafkaio.Dial(ctx, &c, kgo.DefaultProduceTopic(p.Running().Topic), kgo.MaxBufferedRecords(50_000),
		kgo.ProducerLinger(5*time.Millisecond), kgo.ProducerBatchCompression(kgo.SnappyCompression()))
}
