package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/ops"
)

const (
	kafkaAnswer  = 10 * time.Second // for a broker to answer at all
	kafkaDeliver = time.Minute      // for one record to be taken, retries included
)

// kafkaDoor produces to a topic.
type kafkaDoor struct {
	client *kgo.Client
	topic  string
}

func newKafkaDoor(ctx context.Context, brokers []string, topic string) (door, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ClientID("millrace-send"),
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()),
		kgo.ProducerBatchMaxBytes(64<<20), // the broker's limit decides, not ours
		kgo.RecordDeliveryTimeout(kafkaDeliver),
	)
	if err != nil {
		return door{}, usageError("--kafka: %w", err)
	}
	ping, cancel := context.WithTimeout(ctx, kafkaAnswer)
	defer cancel()
	where := strings.Join(brokers, ",")
	if err := client.Ping(ping); err != nil {
		client.Close()
		if ctx.Err() != nil {
			return door{}, context.Cause(ctx)
		}
		return door{}, fmt.Errorf("no Kafka answers at %s: %w", where, err)
	}
	return door{Door: &kafkaDoor{client, topic}, where: fmt.Sprintf("topic %s at %s", topic, where), close: client.Close}, nil
}

// Send implements ops.Door: checked events by the CloudEvents Kafka binding, unchecked
// lines as the record's value.
func (d *kafkaDoor) Send(ctx context.Context, batch []ops.Line) []error {
	errs := make([]error, len(batch))
	records := make([]*kgo.Record, len(batch))
	for i := range batch {
		records[i] = kafkaRecord(&batch[i])
		d.client.Produce(ctx, records[i], func(_ *kgo.Record, err error) { errs[i] = err })
	}
	if err := d.client.Flush(ctx); err != nil {
		_ = d.client.AbortBufferedRecords(context.WithoutCancel(ctx)) // so that every errs is set
	}
	for i, err := range errs {
		switch {
		case errors.Is(err, kerr.MessageTooLarge):
			errs[i] = fault.New(fault.TooLarge, "the Kafka broker does not take a record of %d bytes", len(batch[i].Raw))
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			errs[i] = fmt.Errorf("there is no topic %s: create it, or name another with --topic", d.topic)
		}
	}
	return errs
}

func kafkaRecord(l *ops.Line) *kgo.Record {
	if !l.Checked {
		return &kgo.Record{Value: l.Raw}
	}
	key, value, headers := l.Event.ToKafka()
	r := &kgo.Record{Key: key, Value: value}
	for _, h := range headers {
		r.Headers = append(r.Headers, kafkaHeader(h))
	}
	return r
}

func kafkaHeader(h event.Header) kgo.RecordHeader {
	return kgo.RecordHeader{Key: h.Name, Value: h.Value}
}
