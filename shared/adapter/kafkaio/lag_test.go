package kafkaio_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
)

func TestLag(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		addr := k.shared(t)
		topic := newTopic(t, addr, 2)
		client := dial(t, addr)
		produce(t, addr, topic, 0, 100)
		read := func() (lags []kafkaio.PartitionLag, total int64) {
			t.Helper()
			lags, err := kafkaio.Lag(t.Context(), client, topic, topic)
			if err != nil {
				t.Fatal(err)
			}
			if len(lags) != 2 || lags[0].Partition != 0 || lags[1].Partition != 1 {
				t.Fatalf("%+v", lags)
			}
			return lags, lags[0].Lag + lags[1].Lag
		}
		eventually(t, func() error { // a new cluster makes the topic of offsets when it is first asked
			_, err := kafkaio.Lag(t.Context(), client, topic, topic)
			return err
		})
		if lags, total := read(); total != 100 || lags[0].Committed != -1 || lags[0].MemberID != "" {
			t.Errorf("of a group that does not exist: %+v", lags)
		}
		offsets := make(kadm.Offsets)
		offsets.AddOffset(topic, 1, 3, -1)
		if err := kadm.NewClient(client).CommitAllOffsets(t.Context(), topic, offsets); err != nil {
			t.Fatal(err)
		}
		if lags, total := read(); total != 97 || lags[1].Committed != 3 || lags[1].Lag != lags[1].End-3 {
			t.Errorf("after a commit of 3: %+v", lags)
		}
		j := newJournal()
		stop := startSource(t, addr, kafkaio.SourceOptions{Group: topic, Topics: []string{topic}, Handle: j.handle(succeed)})
		j.await(t, 97)
		awaitMembers(t, addr, topic, topic, 1)
		if lags, _ := read(); lags[0].ClientID != "millrace" || lags[0].Host == "" {
			t.Errorf("with a member: %+v", lags)
		}
		stop()
		if lags, total := read(); total != 0 || lags[0].Committed != lags[0].End || lags[0].MemberID != "" {
			t.Errorf("after it has read all: %+v", lags)
		}
	})
}
