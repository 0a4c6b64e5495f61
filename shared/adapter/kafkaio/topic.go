package kafkaio

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// topicTimeout bounds one question about a topic, its making included.
const topicTimeout = 30 * time.Second

// TopicAdmin shows a topic, and makes it. Each call connects anew: people ask, seldom. It
// never changes a topic that exists.
type TopicAdmin struct {
	Config   Config
	Topic    string
	Settings spec.TopicSettings // that it is made with, and compared to
}

// Show says how the topic is. That there is none is no error.
func (a *TopicAdmin) Show(ctx context.Context) (spec.TopicReport, error) {
	return a.ask(ctx, func(ctx context.Context, admin *kadm.Client) (bool, kadm.TopicDetail, error) {
		t, err := lookUp(ctx, admin, a.Topic)
		return false, t, err
	})
}

// Init makes the topic where there is none, waits until every partition has a leader, and
// says how it is.
func (a *TopicAdmin) Init(ctx context.Context) (spec.TopicReport, error) {
	return a.ask(ctx, func(ctx context.Context, admin *kadm.Client) (bool, kadm.TopicDetail, error) {
		created, err := createTopic(ctx, admin, a.Topic, a.Settings)
		if err != nil {
			return created, kadm.TopicDetail{}, err
		}
		if created {
			t, err := awaitLeaders(ctx, admin, a.Topic)
			return created, t, err
		}
		t, err := lookUp(ctx, admin, a.Topic)
		return created, t, err
	})
}

// ask connects and reports on the topic that look finds; look says too whether it created
// it, and fails with NoTopic where there is none.
func (a *TopicAdmin) ask(ctx context.Context, look func(context.Context, *kadm.Client) (bool, kadm.TopicDetail, error)) (spec.TopicReport, error) {
	r := spec.TopicReport{Topic: a.Topic, Settings: a.Settings.State(), Differences: []spec.TopicDifference{}}
	ctx, cancel := context.WithTimeout(ctx, topicTimeout)
	defer cancel()
	client, err := Dial(ctx, &a.Config)
	if err != nil {
		return r, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	tools := spec.KafkaTools{Brokers: strings.Join(a.Config.Brokers, ","), Secured: a.Config.secured()}
	created, detail, err := look(ctx, admin)
	switch {
	case !created && NoTopic(err):
		r.Create = tools.Create(a.Topic, a.Settings)
		return r, nil
	case err != nil:
		return r, fmt.Errorf("kafka topic %q: %w", a.Topic, err)
	}
	r.Exists, r.Created, r.Is = true, created, topicState(detail)
	if err := readConfigs(ctx, admin, a.Topic, r.Is); err != nil {
		r.Unread = fmt.Sprintf("the brokers do not tell its configuration (it takes the ACL DescribeConfigs on the topic, with IAM kafka-cluster:DescribeTopicDynamicConfiguration): %v", err)
	}
	r.Differences = a.Settings.Differences(a.Topic, r.Is, tools)
	return r, nil
}

// secured reports whether a client needs a file of settings to connect.
func (c *Config) secured() bool { return c.TLS || c.CAFile != "" || c.SASL != "" }

// topicState is what the cluster's metadata says of a topic.
func topicState(t kadm.TopicDetail) *spec.TopicState {
	partitions, replicas := int64(len(t.Partitions)), int64(0)
	for _, p := range t.Partitions {
		if n := int64(len(p.Replicas)); replicas == 0 || n < replicas {
			replicas = n
		}
	}
	return &spec.TopicState{Partitions: &partitions, Replication: &replicas}
}

// readConfigs adds what the topic's configuration says, the brokers' defaults included.
func readConfigs(ctx context.Context, admin *kadm.Client, topic string, s *spec.TopicState) error {
	var configs kadm.ResourceConfig
	// The broker that answers may not have heard of a topic that was just made.
	err := retry(ctx, NoTopic, func() error {
		all, err := admin.DescribeTopicConfigs(ctx, topic)
		if err != nil {
			return err
		}
		if configs, err = all.On(topic, nil); err != nil {
			return err
		}
		return configs.Err
	})
	if err != nil {
		return err
	}
	for _, c := range configs.Configs {
		to := map[string]**int64{spec.TopicMinInsync: &s.MinInsync, spec.TopicRetention: &s.RetentionMS}[c.Key]
		if to == nil || c.Value == nil {
			continue
		}
		n, err := strconv.ParseInt(*c.Value, 10, 64)
		if err != nil {
			return fmt.Errorf("%s is %q", c.Key, *c.Value)
		}
		*to = &n
	}
	return nil
}
