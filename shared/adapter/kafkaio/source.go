package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Limits of Lambda's event source mapping for Kafka (AWS Lambda Developer Guide, "Using
// Lambda with self-managed Apache Kafka").
const (
	DefaultRecords = 100
	MaxRecords     = 10_000
	MaxBytes       = 6 << 20 // of an invocation's payload
	DefaultWindow  = 500 * time.Millisecond
)

const (
	sessionTimeout = 10 * time.Second // after which the group gives a dead member's partitions away
	heartbeat      = time.Second      // a member hears of a rebalance by its answer
)

// Partition is one partition of a topic.
type Partition struct {
	Topic  string
	Number int32
}

// Handler takes a batch: records of one or several partitions, those of a partition in a
// row and in the order of their offsets. A partition is in one batch at a time. The batch
// is the handler's to keep, the records must not be written to.
//
// nil, nil says that all of it is done. failed says from which offset on a partition's
// records are to come again; what is before is done. An err, or an offset that is not in
// the batch, fails the whole batch. What failed comes again, in the same order, after a
// pause, until it is done: a handler that cannot do a record ever has to put it aside.
type Handler func(ctx context.Context, batch []*kgo.Record) (failed map[Partition]int64, err error)

// SourceOptions say what to read and how to hand it over.
type SourceOptions struct {
	Group      string   // of consumers; required
	Topics     []string // required
	FromLatest bool     // where the group has no committed offset; else from the first record

	Records     int           // most in a batch, up to MaxRecords; 0: DefaultRecords
	Bytes       int           // most in a batch, as Lambda's payload, up to MaxBytes; 0: MaxBytes
	Window      time.Duration // how long a batch waits for more records; 0: not at all
	Concurrency int           // batches at once; 0: 1
	Bisect      bool          // halve a batch that failed as a whole, until the record that fails it is alone

	// Processing is the longest that a handler takes; its context ends then. In a rebalance
	// the group waits as long for the batches under way. 0: 15 minutes, as Lambda's most.
	Processing time.Duration
	// Backoff is the pause before attempt n+1 after n failures in a row of a partition's
	// next record. nil: 100 ms, doubling to 30 s.
	Backoff func(n int) time.Duration

	Handle Handler          // required
	Log    *slog.Logger     // nil: none
	Now    func() time.Time // nil: time.Now
}

func (o *SourceOptions) setDefaults() {
	setDefault(&o.Records, DefaultRecords)
	setDefault(&o.Bytes, MaxBytes)
	setDefault(&o.Concurrency, 1)
	setDefault(&o.Processing, 15*time.Minute)
	if o.Backoff == nil {
		o.Backoff = func(n int) time.Duration { return min(100*time.Millisecond<<min(n-1, 10), 30*time.Second) }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

func (o *SourceOptions) validate() error {
	switch {
	case o.Group == "" || len(o.Topics) == 0 || o.Handle == nil:
		return errors.New("a Kafka source needs a group, topics and a handler")
	case o.Records < 1 || o.Records > MaxRecords:
		return fmt.Errorf("a Kafka batch has 1 to %d records, not %d", MaxRecords, o.Records)
	case o.Bytes < 1 || o.Bytes > MaxBytes:
		return fmt.Errorf("a Kafka batch has 1 to %d bytes, not %d", MaxBytes, o.Bytes)
	case o.Concurrency < 1 || o.Window < 0 || o.Processing < 0:
		return errors.New("concurrency, window and processing time of a Kafka source cannot be negative")
	}
	return nil
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// Source reads topics as a member of a consumer group and hands the records over with the
// rules of Lambda's event source mapping: offsets are committed after the handler is done
// with them and before the partition's next batch begins; a partition that fails does not
// hold up the others; a partition that goes to another member in a rebalance goes after its
// batch is done and committed. So a crash repeats at most one batch of each partition, and
// a rebalance or an orderly stop repeats none.
type Source struct {
	o      SourceOptions
	client *kgo.Client
	s      *scheduler
}

// NewSource connects, checks that the topics exist, and joins the group. The error is one
// line. The caller must call Run.
func NewSource(ctx context.Context, c *Config, o SourceOptions) (*Source, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	probe, err := Dial(ctx, c)
	if err != nil {
		return nil, err
	}
	err = RequireTopics(ctx, probe, o.Topics...)
	probe.Close()
	if err != nil {
		return nil, err
	}
	src := &Source{o: o}
	src.s = newScheduler(&src.o)
	start := kgo.NewOffset().AtStart()
	if o.FromLatest {
		start = kgo.NewOffset().AtEnd()
	}
	src.client, err = Dial(ctx, c,
		kgo.ConsumerGroup(o.Group),
		kgo.ConsumeTopics(o.Topics...),
		kgo.ConsumeStartOffset(start),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // an aborted transaction's records are no events
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(sessionTimeout),
		kgo.HeartbeatInterval(heartbeat),
		kgo.RebalanceTimeout(o.Processing),
		// No callback may come between a poll and the taking over of its records: records of
		// a partition that has gone and come back meanwhile would leave a gap in it.
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(src.assigned),
		kgo.OnPartitionsRevoked(src.revoked),
		kgo.OnPartitionsLost(src.lost),
	)
	if err != nil {
		return nil, err
	}
	return src, nil
}

// Run reads until ctx is done. Then it waits for the batches under way, commits them and
// leaves the group. What was fetched and not begun stays for the next run.
func (s *Source) Run(ctx context.Context) {
	defer context.AfterFunc(ctx, s.s.wake)()
	s.s.fetcher = s.client
	var workers sync.WaitGroup
	for range s.o.Concurrency {
		workers.Go(func() { s.work(ctx) })
	}
	s.poll(ctx)
	workers.Wait()
	s.client.CloseAllowingRebalance()
}

// Ping returns nil when a broker answers.
func (s *Source) Ping(ctx context.Context) error { return ping(ctx, s.client) }

// poll fetches as long as the workers want more records.
func (s *Source) poll(ctx context.Context) {
	for s.s.awaitDemand(ctx) {
		fetches := s.client.PollFetches(ctx)
		s.s.add(fetches)
		s.client.AllowRebalance()
		fetches.EachError(func(topic string, partition int32, err error) {
			if ctx.Err() == nil {
				s.o.Log.Warn("Kafka fetch failed; it is tried again", "topic", topic, "partition", partition, "error", err)
			}
		})
	}
}

// work hands over one batch after the other.
func (s *Source) work(ctx context.Context) {
	for {
		b := s.s.next(ctx)
		if b == nil {
			return
		}
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Processing)
		failed, err := s.o.Handle(call, b.records)
		cancel()
		if err = b.judge(failed, err); err != nil {
			s.o.Log.Warn("Kafka batch failed; it comes again", "records", len(b.records), "error", err)
		}
		s.commit(ctx, b)
		s.s.settle(b)
	}
}
