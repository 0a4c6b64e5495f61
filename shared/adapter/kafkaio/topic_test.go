package kafkaio_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func topicAdmin(t *testing.T, addr string, s spec.TopicSettings) *kafkaio.TopicAdmin {
	t.Helper()
	name := fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), time.Now().UnixNano())
	return &kafkaio.TopicAdmin{Config: *config(addr), Topic: name, Settings: s}
}

func ask(t *testing.T, do func(context.Context) (spec.TopicReport, error)) spec.TopicReport {
	t.Helper()
	r, err := do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A topic is made with its settings, and looked at and asked for again is left as it is,
// whatever is then wanted of it.
func TestTopicIsMadeOnce(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		a := topicAdmin(t, k.shared(t), spec.TopicSettings{Partitions: 3, Replication: 1, MinInsync: 1, Retention: 36 * time.Hour})
		r := ask(t, a.Show)
		want := "kafka-topics.sh --bootstrap-server " + a.Config.Brokers[0] + " --create --if-not-exists --topic " + a.Topic +
			" --partitions 3 --replication-factor 1 --config min.insync.replicas=1 --config retention.ms=129600000"
		if r.Exists || r.Is != nil || r.Create != want {
			t.Fatalf("before it is made: %+v", r)
		}
		r = ask(t, a.Init)
		if d := cmp.Diff(a.Settings.State(), *r.Is); d != "" || !r.Created || !r.Exists || len(r.Differences) > 0 || r.Create != "" || r.Unread != "" {
			t.Fatalf("made: %+v\n%s", r, d)
		}
		first := r.Is
		a.Settings = spec.TopicSettings{Partitions: 5, Replication: 2, MinInsync: 2, Retention: time.Hour}
		for _, do := range []func(context.Context) (spec.TopicReport, error){a.Init, a.Show} {
			r = ask(t, do)
			if d := cmp.Diff(first, r.Is); d != "" || r.Created || !r.Exists || len(r.Differences) != 4 {
				t.Fatalf("asked again: %+v\n%s", r, d)
			}
		}
		a.Settings = spec.TopicSettings{}
		if r = ask(t, a.Show); len(r.Differences) > 0 {
			t.Errorf("nothing is wanted: %+v", r.Differences)
		}
	})
}

// Whoever makes it at the same time: one did, and all see it whole.
func TestTopicIsMadeByOne(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		a := topicAdmin(t, k.shared(t), spec.TopicSettings{Partitions: 4})
		var created atomic.Int32
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				r, err := a.Init(t.Context())
				if err != nil || *r.Is.Partitions != 4 {
					t.Errorf("%+v %v", r, err)
				}
				if r.Created {
					created.Add(1)
				}
			})
		}
		all.Wait()
		if n := created.Load(); n != 1 {
			t.Errorf("%d made it", n)
		}
	})
}

// What the brokers refuse comes with what to do and with their own words.
func TestTopicRefused(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		a := topicAdmin(t, k.shared(t), spec.TopicSettings{Partitions: 1, Replication: 9})
		if _, err := a.Init(t.Context()); err == nil || !strings.Contains(err.Error(), "there cannot be more replicas than brokers") {
			t.Errorf("got %v", err)
		}
	})
	for code, want := range map[*kerr.Error]string{
		kerr.TopicAuthorizationFailed: "it needs the ACL Create on the topic, with IAM kafka-cluster:CreateTopic",
		kerr.PolicyViolation:          "leave to them what they set themselves (POLICY_VIOLATION",
		kerr.InvalidConfig:            "MSK Serverless does not",
		kerr.InvalidTopicException:    "INVALID_TOPIC",
	} {
		c := newFake(t)
		c.ControlKey(int16(kmsg.CreateTopics), func(r kmsg.Request) (kmsg.Response, error, bool) {
			answer := r.ResponseKind().(*kmsg.CreateTopicsResponse)
			answer.Topics = []kmsg.CreateTopicsResponseTopic{{
				Topic: r.(*kmsg.CreateTopicsRequest).Topics[0].Topic, ErrorCode: code.Code, ErrorMessage: kmsg.StringPtr("MSK Serverless does not"),
			}}
			return answer, nil, true
		})
		a := topicAdmin(t, c.ListenAddrs()[0], spec.TopicSettings{Partitions: 1})
		if _, err := a.Init(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v", code, err)
		}
	}
}

// Who may not read the topic's configuration still sees the rest, and why.
func TestTopicConfigurationMayBeForbidden(t *testing.T) {
	c := newFake(t)
	c.ControlKey(int16(kmsg.DescribeConfigs), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		answer := r.ResponseKind().(*kmsg.DescribeConfigsResponse)
		asked := r.(*kmsg.DescribeConfigsRequest).Resources[0]
		answer.Resources = []kmsg.DescribeConfigsResponseResource{{
			ErrorCode: kerr.TopicAuthorizationFailed.Code, ResourceType: asked.ResourceType, ResourceName: asked.ResourceName,
		}}
		return answer, nil, true
	})
	a := topicAdmin(t, c.ListenAddrs()[0], spec.TopicSettings{Partitions: 2, Retention: time.Hour})
	r := ask(t, a.Init)
	if !r.Created || *r.Is.Partitions != 2 || r.Is.RetentionMS != nil || len(r.Differences) > 0 ||
		!strings.Contains(r.Unread, "kafka-cluster:DescribeTopicDynamicConfiguration): TOPIC_AUTHORIZATION_FAILED") {
		t.Errorf("%+v", r)
	}
}

func TestTopicWithoutKafka(t *testing.T) {
	a := topicAdmin(t, "127.0.0.1:1", spec.TopicSettings{Partitions: 1})
	if _, err := a.Show(t.Context()); err == nil || !strings.Contains(err.Error(), "no Kafka at 127.0.0.1:1") {
		t.Errorf("got %v", err)
	}
}

// newFake is a kfake of one broker, whose answers a test can replace.
func newFake(t *testing.T) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
