package kafkaio_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
)

// TestRebalanceUnderLoad: members come and go while records are sent and batches are under
// way. Each record is done once, in its partition's order, and no partition is in the hands
// of two members.
func TestRebalanceUnderLoad(t *testing.T) {
	t.Parallel()
	onEachBroker(t, func(t *testing.T, k kind) {
		addr := k.shared(t)
		topic := newTopic(t, addr, 6)
		j := newJournal()
		join := func() (stop func()) {
			return startSource(t, addr, kafkaio.SourceOptions{
				Group: topic, Topics: []string{topic}, Records: 20, Concurrency: 3, Window: 2 * time.Millisecond,
				Handle: j.handle(func(ctx context.Context, _ []*kgo.Record) (map[kafkaio.Partition]int64, error) {
					time.Sleep(5 * time.Millisecond) // work, so that a rebalance meets batches under way
					return nil, nil
				}),
			})
		}
		sent, stopSending := send(t, addr, topic)
		members := func(n int) { awaitMembers(t, addr, topic, topic, n) }

		first := join()
		members(1)
		second := join()
		members(2)
		third := join()
		members(3)
		second()
		members(2)
		fourth := join()
		members(3)
		first()
		third()
		members(1)

		stopSending()
		n := <-sent
		j.await(t, n)
		fourth()
		j.exactlyOnce(t, n)
		if lag := totalLag(t, addr, topic, topic); lag != 0 {
			t.Errorf("lag %d", lag)
		}
		t.Logf("%d records over 6 rebalances", n)
	})
}

// send sends numbered records until stop is called, then the number of those acknowledged
// comes from sent. One that fails is sent again: every number arrives.
func send(t *testing.T, addr, topic string) (sent <-chan int, stop func()) {
	t.Helper()
	p := newProducer(t, addr, topic)
	ctx, cancel := context.WithCancel(t.Context())
	count := make(chan int, 1)
	go func() {
		n := 0
		for ctx.Err() == nil {
			batch := make([]*kgo.Record, 20)
			for i := range batch {
				id := fmt.Sprint(n + i)
				batch[i] = &kgo.Record{Key: []byte(id), Value: []byte(id)}
			}
			for len(batch) > 0 {
				var again []*kgo.Record
				for i, err := range p.Send(context.WithoutCancel(ctx), batch) {
					if err != nil {
						again = append(again, &kgo.Record{Key: batch[i].Key, Value: batch[i].Value})
					}
				}
				batch = again
			}
			n += 20
		}
		count <- n
	}()
	return count, cancel
}

// awaitMembers waits until a group has n members and each of its partitions a reader.
func awaitMembers(t *testing.T, addr, group, topic string, n int) {
	t.Helper()
	client := dial(t, addr)
	eventually(t, func() error {
		lags, err := kafkaio.Lag(t.Context(), client, group, topic)
		if err != nil {
			return err
		}
		members := map[string]bool{}
		for _, l := range lags {
			if l.MemberID == "" {
				return fmt.Errorf("nobody reads partition %d", l.Partition)
			}
			members[l.MemberID] = true
		}
		if len(members) != n {
			return fmt.Errorf("%d members, want %d", len(members), n)
		}
		return nil
	})
}

// TestBrokerIsKilled: the broker is killed and comes back, twice, under load. Everything
// that was acknowledged is done; of each partition, the batch that the broker did not
// commit before it died may be done twice.
func TestBrokerIsKilled(t *testing.T) {
	t.Parallel()
	const records, kills = 50, 2
	onEachBroker(t, func(t *testing.T, k kind) {
		own := k.own(t)
		topic := newTopic(t, own.addr, 3)
		j := newJournal()
		stop := startSource(t, own.addr, kafkaio.SourceOptions{
			Group: topic, Topics: []string{topic}, Records: records, Concurrency: 2, Handle: j.handle(succeed),
		})
		sent, stopSending := send(t, own.addr, topic)
		for range kills {
			j.await(t, j.done()+500)
			own.kill(t)
			own.start(t)
		}
		j.await(t, j.done()+500)
		stopSending()
		n := <-sent
		j.await(t, n)
		stop()
		twice := j.atLeastOnce(t, records*kills)
		if lag := totalLag(t, own.addr, topic, topic); lag != 0 {
			t.Errorf("lag %d", lag)
		}
		t.Logf("%d records, %d of them done twice", n, twice)
	})
}
