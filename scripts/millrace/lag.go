package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
)

// lagger asks Kafka how far a consumer group is behind. It is an ops.Lagger.
type lagger struct {
	dial   func(context.Context, kafkaio.Config) (*kgo.Client, error) // keeps the client
	config kafkaio.Config
	group  string
	topic  string
}

// Lag implements ops.Lagger.
func (l *lagger) Lag(ctx context.Context) (sum int64, known bool, err error) {
	client, err := l.dial(ctx, l.config)
	if err != nil {
		return 0, false, err
	}
	partitions, err := kafkaio.Lag(ctx, client, l.group, l.topic)
	for _, p := range partitions {
		sum += p.Lag
	}
	return sum, true, err
}

// dialForLag makes a client that tells the brokers who it is.
func dialForLag(ctx context.Context, c kafkaio.Config) (*kgo.Client, error) {
	c.ClientID = "millrace-status"
	client, err := kafkaio.Dial(ctx, &c)
	if err != nil { // not a nil *Client that is kept
		return nil, err
	}
	return client, nil
}
