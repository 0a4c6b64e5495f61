package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// RequireTopics returns nil when all topics exist and may be seen, and else an error that
// names the first that does not.
func RequireTopics(ctx context.Context, client *kgo.Client, topics ...string) error {
	found, err := kadm.NewClient(client).ListTopics(ctx, topics...)
	if err != nil {
		return fmt.Errorf("look up Kafka topics: %w", err)
	}
	for _, t := range topics {
		err := found[t].Err
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition), !found.Has(t) && err == nil:
			return fmt.Errorf("kafka topic %q does not exist", t)
		case err != nil:
			return fmt.Errorf("kafka topic %q: %w", t, err)
		}
	}
	return nil
}

// EnsureTopic makes a topic with the broker's default replication where there is none of
// that name, and returns once every partition has a leader. An existing topic is left as
// it is. It returns how many partitions the topic has.
func EnsureTopic(ctx context.Context, client *kgo.Client, topic string, partitions int32) (int, error) {
	admin := kadm.NewClient(client)
	_, err := admin.CreateTopic(ctx, partitions, -1, nil, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return 0, fmt.Errorf("create Kafka topic %q: %w", topic, err)
	}
	const pause = 20 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		n, err := ledPartitions(ctx, admin, topic)
		if err == nil {
			return n, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("kafka topic %q: %w", topic, errors.Join(context.Cause(ctx), err))
		case <-tick.C:
		}
	}
}

// ledPartitions is the number of partitions, when all of them have a leader.
func ledPartitions(ctx context.Context, admin *kadm.Client, topic string) (int, error) {
	topics, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return 0, err
	}
	t := topics[topic]
	if t.Err != nil {
		return 0, t.Err
	}
	for _, p := range t.Partitions {
		if p.Err != nil {
			return 0, p.Err
		}
		if p.Leader < 0 {
			return 0, fmt.Errorf("partition %d has no leader", p.Partition)
		}
	}
	if len(t.Partitions) == 0 {
		return 0, errors.New("the broker does not list its partitions yet")
	}
	return len(t.Partitions), nil
}
