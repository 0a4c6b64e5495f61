package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// NoTopic reports whether err says that a topic, or a partition of it, does not exist.
func NoTopic(err error) bool { return errors.Is(err, kerr.UnknownTopicOrPartition) }

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
		case NoTopic(err), !found.Has(t) && err == nil:
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
	var t kadm.TopicDetail
	_, err := createTopic(ctx, admin, topic, spec.TopicSettings{Partitions: int(partitions)})
	if err == nil {
		t, err = awaitLeaders(ctx, admin, topic)
	}
	if err != nil {
		return 0, fmt.Errorf("kafka topic %q: %w", topic, err)
	}
	return len(t.Partitions), nil
}

// createTopic makes a topic where there is none of that name, and reports whether it did.
func createTopic(ctx context.Context, admin *kadm.Client, topic string, s spec.TopicSettings) (bool, error) {
	partitions, replication := int32(-1), int16(-1) // the broker's defaults (KIP-464)
	if s.Partitions > 0 {
		partitions = int32(s.Partitions)
	}
	if s.Replication > 0 {
		replication = int16(s.Replication)
	}
	configs := make(map[string]*string)
	for name, value := range s.Configs() {
		configs[name] = &value
	}
	made, err := admin.CreateTopic(ctx, partitions, replication, configs, topic)
	switch {
	case errors.Is(err, kerr.TopicAlreadyExists):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("it cannot be made: %w", explainCreate(err, made.ErrMessage))
	}
	return true, nil
}

// explainCreate adds a hint to the refusals that something can be done about, and what
// the broker said to them.
func explainCreate(err error, message string) error {
	if message != "" {
		err = fmt.Errorf("%w: %s", err, message)
	}
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return &explained{"this user may not make it: it needs the ACL Create on the topic, with IAM kafka-cluster:CreateTopic", err}
	case errors.Is(err, kerr.InvalidReplicationFactor):
		return &explained{"there cannot be more replicas than brokers", err}
	case errors.Is(err, kerr.PolicyViolation), errors.Is(err, kerr.InvalidConfig):
		return &explained{"the brokers do not allow these settings: leave to them what they set themselves", err}
	}
	return err
}

// awaitLeaders returns the topic once it is known and every partition has a leader.
func awaitLeaders(ctx context.Context, admin *kadm.Client, topic string) (t kadm.TopicDetail, err error) {
	err = retry(ctx, func(error) bool { return true }, func() error {
		if t, err = lookUp(ctx, admin, topic); err != nil {
			return err
		}
		return led(t)
	})
	return t, err
}

// retry calls do until it returns nil, or an error that does not pass by itself.
func retry(ctx context.Context, passes func(error) bool, do func() error) error {
	const pause = 20 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		err := do()
		if err == nil || !passes(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// lookUp asks for a topic; the error is NoTopic where there is none.
func lookUp(ctx context.Context, admin *kadm.Client, topic string) (kadm.TopicDetail, error) {
	topics, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return kadm.TopicDetail{}, err
	}
	t, ok := topics[topic]
	if !ok {
		return t, kerr.UnknownTopicOrPartition
	}
	return t, t.Err
}

// led is nil when all partitions have a leader.
func led(t kadm.TopicDetail) error {
	for _, p := range t.Partitions {
		if p.Err != nil {
			return p.Err
		}
		if p.Leader < 0 {
			return fmt.Errorf("partition %d has no leader", p.Partition)
		}
	}
	if len(t.Partitions) == 0 {
		return errors.New("the broker does not list its partitions yet")
	}
	return nil
}
