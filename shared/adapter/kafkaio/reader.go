package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// stall is how long a partition may send nothing, though it has more to send.
const stall = 30 * time.Second

// Reader reads records again by their offsets, outside of any consumer group: it commits
// nothing, and nobody's place in the topic changes. It implements redrive.Records.
type Reader struct {
	config Config
	client *kgo.Client
}

// NewReader connects. The caller closes the Reader.
func NewReader(ctx context.Context, c *Config) (*Reader, error) {
	client, err := Dial(ctx, c)
	if err != nil {
		return nil, err
	}
	return &Reader{config: *c, client: client}, nil
}

// Close ends the connections.
func (r *Reader) Close() { r.client.Close() }

// Bounds are the first offset that the partition still has, and the one after the last that
// no open transaction holds back. A topic or partition that does not exist is an error.
func (r *Reader) Bounds(ctx context.Context, topic string, partition int32) (start, end int64, err error) {
	admin := kadm.NewClient(r.client)
	for _, ask := range []struct {
		list func(context.Context, ...string) (kadm.ListedOffsets, error)
		to   *int64
	}{{admin.ListStartOffsets, &start}, {admin.ListCommittedOffsets, &end}} {
		offsets, err := ask.list(ctx, topic)
		if err != nil {
			return 0, 0, fmt.Errorf("offsets of Kafka topic %q: %w", topic, err)
		}
		o, ok := offsets.Lookup(topic, partition)
		switch {
		case !ok, NoTopic(o.Err):
			return 0, 0, fmt.Errorf("kafka topic %q has no partition %d there: is this the right cluster?", topic, partition)
		case o.Err != nil:
			return 0, 0, fmt.Errorf("offsets of Kafka topic %q, partition %d: %w", topic, partition, o.Err)
		}
		*ask.to = o.Offset
	}
	return start, end, nil
}

// Read yields the records of the offsets first to last, both included, in their order, as
// deliveries. Offsets without one (compacted, aborted, a transaction's marker) are passed
// over. An error ends it, also where retention has deleted the first of them: nothing is
// skipped silently.
func (r *Reader) Read(ctx context.Context, topic string, partition int32, first, last int64) iter.Seq2[pipeline.Delivery, error] {
	return func(yield func(pipeline.Delivery, error) bool) {
		client, err := r.at(ctx, topic, partition, first)
		if err != nil {
			yield(pipeline.Delivery{}, err)
			return
		}
		defer client.Close()
		for {
			records, err := poll(ctx, client)
			if err != nil {
				yield(pipeline.Delivery{}, err)
				return
			}
			for _, rec := range records {
				if rec.Offset <= last && !rec.Attrs.IsControl() && !yield(delivery(rec), nil) {
					return
				}
				if rec.Offset >= last {
					return
				}
			}
		}
	}
}

// at is a client that reads one partition from an offset on. Markers of transactions are
// asked for since the last offset may be one: nothing else would say that it was passed.
func (r *Reader) at(ctx context.Context, topic string, partition int32, first int64) (*kgo.Client, error) {
	return Dial(ctx, &r.config,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(first)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // else an offset that is gone would be skipped
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
	)
}

// poll waits for records, for the time of stall at most.
func poll(ctx context.Context, client *kgo.Client) ([]*kgo.Record, error) {
	pollCtx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	fetches := client.PollFetches(pollCtx)
	switch err := fetches.Err(); {
	case err == nil:
		return fetches.Records(), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("kafka sent no record for %s", stall)
	default:
		return nil, fmt.Errorf("kafka fetch: %w", err)
	}
}

func delivery(rec *kgo.Record) pipeline.Delivery {
	k := KafkaRecordOf(rec)
	return pipeline.Delivery{
		ID: fmt.Sprintf("%s-%d@%d", rec.Topic, rec.Partition, rec.Offset), Body: rec.Value, Kafka: &k, Arrived: rec.Timestamp,
	}
}

// KafkaRecordOf is what a delivery keeps of a record besides its value.
func KafkaRecordOf(rec *kgo.Record) pipeline.KafkaRecord {
	k := pipeline.KafkaRecord{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Key: rec.Key}
	for _, h := range rec.Headers {
		k.Headers = append(k.Headers, event.Header{Name: h.Key, Value: h.Value})
	}
	return k
}
