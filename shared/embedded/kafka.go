package embedded

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio/broker"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
)

// KafkaOptions say where events are read from.
type KafkaOptions struct {
	Config kafkaio.Config // of a cluster; without Brokers the pipeline has a broker of its own
	Listen string         // 127.0.0.1:PORT of its own broker; port 0 picks a free one
	Topic  string         // default: Topic
	Group  string         // default: Group
	// Retention is how long its own broker keeps records that the group has committed;
	// 0: DefaultRetention. A record that is not committed is kept whatever its age.
	Retention time.Duration
}

func (k *KafkaOptions) setDefaults() {
	if k.Topic == "" {
		k.Topic = Topic
	}
	if k.Group == "" {
		k.Group = Group
	}
	if k.Retention == 0 {
		k.Retention = DefaultRetention
	}
}

const (
	// kafkaPartitions of the topic of its own broker.
	kafkaPartitions = 4
	// kafkaRecords is the most records in one invocation: large batches cost the least
	// per event, and a payload of this many stays below Lambda's 6 MB at 1 KB an event.
	kafkaRecords = 4000
	// kafkaWait bounds the start.
	kafkaWait = 30 * time.Second
)

// kafkaSource is the event source mapping of ingest for Kafka.
type kafkaSource struct {
	servers []string
	config  kafkaio.Config
	broker  *broker.Broker // nil with a cluster
	keep    retention      // of the broker's records
	source  *kafkaio.Source
	handler lambdaio.Handler
	timeout time.Duration
	buffers sync.Pool // of *[]byte: payloads
}

func startKafka(ctx context.Context, o Options, h lambdaio.Handler, timeout time.Duration) (_ *kafkaSource, err error) {
	k := &kafkaSource{servers: o.Kafka.Config.Brokers, handler: h, timeout: timeout}
	k.buffers.New = func() any { return new([]byte) }
	defer func() {
		if err != nil {
			_ = k.close()
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, kafkaWait)
	defer cancel()
	config := o.Kafka.Config
	config.Log = o.Log
	if len(k.servers) == 0 {
		asPart(PartBroker, func() {
			k.broker, err = broker.Start(ctx, broker.Options{
				Dir: filepath.Join(o.Data, kafkaDir), Addr: o.Kafka.Listen, Topics: map[string]int32{o.Kafka.Topic: kafkaPartitions}, Log: o.Log,
			})
		})
		if err != nil {
			return nil, err
		}
		k.servers = []string{k.broker.Addr()}
		config.Brokers = k.servers
	}
	k.config = config
	window := time.Duration(0)
	if o.Mongo != "" {
		window = mongoWindow
	}
	k.keep = retention{group: o.Kafka.Group, topic: o.Kafka.Topic, age: o.Kafka.Retention, now: o.Now, log: o.Log}
	asPart(PartKafka, func() {
		k.source, err = kafkaio.NewSource(ctx, &config, kafkaio.SourceOptions{
			Group: o.Kafka.Group, Topics: []string{o.Kafka.Topic},
			Records: kafkaRecords, Window: window, Concurrency: o.Pollers, Processing: timeout,
			Handle: k.invoke, Log: o.Log, Now: o.Now,
		})
	})
	return k, err
}

func (k *kafkaSource) run(ctx context.Context) {
	if k.source != nil {
		k.source.Run(ctx)
	}
}

func (k *kafkaSource) ping(ctx context.Context) error { return k.source.Ping(ctx) }

func (k *kafkaSource) close() error {
	if k.broker != nil {
		return k.broker.Close()
	}
	return nil
}

// invoke sends a batch to ingest as Lambda does and reads its answer. It implements
// kafkaio.Handler.
func (k *kafkaSource) invoke(ctx context.Context, batch []*kgo.Record) (map[kafkaio.Partition]int64, error) {
	records := make([]lambdaio.KafkaRecord, len(batch))
	for i, r := range batch {
		records[i] = lambdaRecord(r)
	}
	buf := k.buffers.Get().(*[]byte)
	defer k.buffers.Put(buf)
	payload, n := lambdaio.AppendKafkaEvent((*buf)[:0], k.servers, records)
	*buf = payload
	call, cancel := context.WithTimeout(lambdaio.WithRequestID(ctx, uuid.NewString()), k.timeout)
	defer cancel()
	answer, err := k.handler(call, payload)
	if err != nil {
		return nil, err
	}
	failed, err := lambdaio.FailedRecords(answer, records[:n])
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	first := make(map[kafkaio.Partition]int64)
	for i, r := range batch {
		p := kafkaio.Partition{Topic: r.Topic, Number: r.Partition}
		if _, known := first[p]; !known && (i >= n || failed[i]) {
			first[p] = r.Offset
		}
	}
	return first, nil
}

func lambdaRecord(r *kgo.Record) lambdaio.KafkaRecord {
	return lambdaio.KafkaRecord{
		KafkaRecord: kafkaio.KafkaRecordOf(r), Value: r.Value, Timestamp: r.Timestamp, LogAppendTime: r.Attrs.TimestampType() == 1,
	}
}

// ConsumerLag is how many records of the topic ingest has not read and committed.
func (p *Pipeline) ConsumerLag(ctx context.Context) (int64, error) {
	client, err := kafkaio.Dial(ctx, &p.kafka.config)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	lags, err := kafkaio.Lag(ctx, client, p.o.Kafka.Group, p.o.Kafka.Topic)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, l := range lags {
		total += l.Lag
	}
	return total, nil
}
