package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/ops"
)

// kafkaDoor sends to a topic: checked events by the CloudEvents Kafka binding, unchecked
// lines as the record's value.
type kafkaDoor struct {
	producer *kafkaio.Producer
}

func newKafkaDoor(ctx context.Context, c kafkaio.Config, topic string) (door, error) {
	c.ClientID = "millrace-send"
	p, err := kafkaio.NewProducer(ctx, &c, topic)
	if err != nil {
		return door{}, err
	}
	where := fmt.Sprintf("topic %s at %s", topic, strings.Join(c.Brokers, ","))
	return door{Door: &kafkaDoor{p}, where: where, close: p.Close}, nil
}

// Send implements ops.Door.
func (d *kafkaDoor) Send(ctx context.Context, batch []ops.Line) []error {
	records := make([]*kgo.Record, len(batch))
	for i := range batch {
		if l := &batch[i]; l.Checked {
			records[i] = kafkaio.RecordOf(&l.Event)
		} else {
			records[i] = &kgo.Record{Value: l.Raw}
		}
	}
	return d.producer.Send(ctx, records)
}
