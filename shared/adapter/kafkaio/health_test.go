package kafkaio_test

import (
	"testing"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
)

func TestReplicationOf(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		addr := k.shared(t)
		topic := newTopic(t, addr, 2)
		client := dial(t, addr)
		r, err := kafkaio.ReplicationOf(t.Context(), client, topic)
		if err != nil || r != (kafkaio.Replication{}) {
			t.Errorf("of a healthy topic: %+v, %v", r, err)
		}
		if r, err := kafkaio.ReplicationOf(t.Context(), client, topic, "no-such-topic"); err == nil {
			t.Errorf("of a topic that does not exist: %+v", r)
		}
	})
}

func TestWatch(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		addr := k.shared(t)
		topic := newTopic(t, addr, 2)
		produce(t, addr, topic, 0, 30)
		w := &kafkaio.Watch{Config: kafkaio.Config{Brokers: []string{addr}}, Group: topic, Topic: topic}
		defer w.Close()
		eventually(t, func() error { // a new cluster makes the topic of offsets when it is first asked
			_, err := w.Health(t.Context())
			return err
		})
		for range 2 { // the client is kept, and made anew
			if h, err := w.Health(t.Context()); err != nil || h != (kafkaio.Health{Lag: 30}) {
				t.Errorf("got %+v, %v", h, err)
			}
			w.Close()
		}
		gone := &kafkaio.Watch{Config: kafkaio.Config{Brokers: []string{"127.0.0.1:1"}}, Group: topic, Topic: topic}
		if _, err := gone.Health(t.Context()); err == nil {
			t.Error("of a cluster that is not there")
		}
	})
}
