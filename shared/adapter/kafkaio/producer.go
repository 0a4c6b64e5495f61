package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

const (
	linger        = 5 * time.Millisecond // fills batches at high rates, adds nothing that a person sees
	deliverWithin = time.Minute          // for one record, retries included
	maxBuffered   = 50_000               // records on their way; Produce waits above it
	maxBatchBytes = 1_000_012            // of a topic that does not say: the default of Kafka's clients
)

// Producer writes records to one topic: idempotent, acknowledged by all in-sync replicas,
// in snappy (half the broker's CPU of none, and less of ours than lz4 or zstd). Records
// with equal keys go to one partition, chosen as Java's producer chooses it, and stay in
// order. Its methods may be called concurrently.
type Producer struct {
	client *kgo.Client
	topic  string
}

// NewProducer connects, and checks that the topic exists.
func NewProducer(ctx context.Context, c *Config, topic string) (*Producer, error) {
	var limit atomic.Int32
	limit.Store(maxBatchBytes)
	client, err := Dial(ctx, c,
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(kgo.SnappyCompression(), kgo.NoCompression()),
		kgo.ProducerLinger(linger),
		kgo.ProducerBatchMaxBytesFn(func(string) int32 { return limit.Load() }),
		kgo.MaxBufferedRecords(maxBuffered),
		kgo.RecordDeliveryTimeout(deliverWithin),
		// Else a record whose broker has gone waits for ever. It may then be there or not,
		// and is sent again: events are kept once.
		kgo.AllowIdempotentProduceCancellation(),
	)
	if err != nil {
		return nil, err
	}
	if err := RequireTopics(ctx, client, topic); err != nil {
		client.Close()
		return nil, err
	}
	// The broker refuses a batch above its limit as a whole, and the client does not split
	// it: small records would fail for their neighbours.
	if n, ok := batchLimit(ctx, client, topic); ok {
		limit.Store(n)
	}
	return &Producer{client, topic}, nil
}

// batchLimit is the topic's max.message.bytes, where the broker says it: a cluster may
// allow to produce and not to describe.
func batchLimit(ctx context.Context, client *kgo.Client, topic string) (int32, bool) {
	configs, err := kadm.NewClient(client).DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return 0, false
	}
	config, err := configs.On(topic, nil)
	if err != nil || config.Err != nil {
		return 0, false
	}
	for _, c := range config.Configs {
		if c.Key != "max.message.bytes" || c.Value == nil {
			continue
		}
		n, err := strconv.ParseInt(*c.Value, 10, 32)
		// franz-go takes 512 B to 1 GiB.
		return int32(min(max(n, 512), 1<<30)), err == nil
	}
	return 0, false
}

// RecordOf is the event as the CloudEvents Kafka binding writes it; its key is the event's
// partitionkey.
func RecordOf(e *event.Event) *kgo.Record {
	key, value, headers := e.ToKafka()
	r := &kgo.Record{Key: key, Value: value, Headers: make([]kgo.RecordHeader, len(headers))}
	for i, h := range headers {
		r.Headers[i] = kgo.RecordHeader{Key: h.Name, Value: h.Value}
	}
	return r
}

// Send writes the records and returns one error per record, in order; nil means that the
// brokers have it. When ctx ends, the records that are not acknowledged get its error,
// and may have been written all the same. Errors are classified: a record that is larger
// than the topic takes (before compression) is a permanent failure, every other passes.
func (p *Producer) Send(ctx context.Context, records []*kgo.Record) []error {
	errs := make([]error, len(records))
	done := make(chan struct{}, len(records))
	for i, r := range records {
		p.client.Produce(ctx, r, func(r *kgo.Record, err error) {
			errs[i] = p.classify(r, err)
			done <- struct{}{}
		})
	}
	for range records {
		<-done
	}
	return errs
}

// Produce hands a record over and calls done once, from another goroutine, with what Send
// would return for it. It waits while 50,000 records are on their way. done must not block.
func (p *Producer) Produce(ctx context.Context, r *kgo.Record, done func(error)) {
	p.client.Produce(ctx, r, func(r *kgo.Record, err error) { done(p.classify(r, err)) })
}

// Flush waits until everything that Produce took has been answered.
func (p *Producer) Flush(ctx context.Context) error { return p.client.Flush(ctx) }

// Client is the client that the producer writes with, for RequireTopics and Lag.
func (p *Producer) Client() *kgo.Client { return p.client }

// Close disconnects. Records that were not acknowledged get an error.
func (p *Producer) Close() { p.client.Close() }

func (p *Producer) classify(r *kgo.Record, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return &fault.Error{
			Kind: fault.Permanent, Reason: fault.TooLarge, Op: "produce to Kafka",
			Detail: fmt.Sprintf("the topic %s does not take a record of %d bytes", p.topic, len(r.Key)+len(r.Value)), Err: err,
		}
	}
	return fault.Wrap(err, fault.PublishFailed, "produce to Kafka topic "+p.topic)
}
