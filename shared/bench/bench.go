package bench

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

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

// Run starts a pipeline with the options, sends the load through its Kafka and waits
// until every event has ended. servers are processes whose CPU is to be reported too.
func Run(ctx context.Context, o embedded.Options, l Load, servers ...int) (*Result, error) {
	tally := new(Tally)
	o.Observe = tally.Add
	p, err := embedded.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	client, err := newClient(ctx, o, p)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	g, err := newGenerator(l, client)
	if err != nil {
		return nil, err
	}
	if err := g.warm(ctx, tally); err != nil {
		return nil, err
	}
	cpu, err := cpuOfAll(servers)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := g.run(ctx); err != nil {
		return nil, err
	}
	if err := tally.await(ctx, l.Events); err != nil {
		return nil, err
	}
	r := tally.Result()
	r.Sent, r.Elapsed = l.Events, time.Since(start)
	end, err := cpuOfAll(servers)
	if err != nil {
		return nil, err
	}
	r.CPU, r.ServersCPU = end.own-cpu.own, end.servers-cpu.servers
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

func newClient(ctx context.Context, o embedded.Options, p *embedded.Pipeline) (*kgo.Client, error) {
	c := o.Kafka.Config
	c.Brokers = p.Running().Kafka
	return kafkaio.Dial(ctx, &c, kgo.DefaultProduceTopic(p.Running().Topic), kgo.MaxBufferedRecords(50_000),
		kgo.ProducerLinger(5*time.Millisecond), kgo.ProducerBatchCompression(kgo.SnappyCompression()))
}
