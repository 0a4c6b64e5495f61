package kafkaio_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// testReader is a reader on a new topic of two partitions.
func testReader(t *testing.T, addr string) (r *kafkaio.Reader, client *kgo.Client, topic string) {
	t.Helper()
	c := kafkaio.Config{Brokers: []string{addr}}
	r, err := kafkaio.NewReader(t.Context(), &c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	client = transactor(t, addr)
	topic = "reader-" + uuid.NewString()
	if _, err := kafkaio.EnsureTopic(t.Context(), client, topic, 2); err != nil {
		t.Fatal(err)
	}
	return r, client, topic
}

func transactor(t *testing.T, addr string) *kgo.Client {
	t.Helper()
	client, err := kafkaio.Dial(t.Context(), &kafkaio.Config{Brokers: []string{addr}}, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(uuid.NewString()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// transact sends a record for each value in one transaction; its marker takes an offset more.
func transact(t *testing.T, client *kgo.Client, topic string, end kgo.TransactionEndTry, values ...string) {
	t.Helper()
	begin(t, client, topic, values...)
	if err := client.EndTransaction(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

func begin(t *testing.T, client *kgo.Client, topic string, values ...string) {
	t.Helper()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		rec := &kgo.Record{
			Topic: topic, Partition: 1, Key: []byte("k" + v), Value: []byte(v), Timestamp: time.UnixMilli(1_700_000_000_000),
			Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte(v)}},
		}
		if v == "" {
			rec.Value = nil
		}
		if err := client.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func read(ctx context.Context, r *kafkaio.Reader, topic string, first, last int64) (got []pipeline.Delivery, err error) {
	for d, err := range r.Read(ctx, topic, 1, first, last) {
		if err != nil {
			return got, err
		}
		got = append(got, d)
	}
	return got, nil
}

// A run of offsets is read whole, whatever its ends are, and never less than that silently.
func TestReader(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		addr := k.shared(t)
		r, client, topic := testReader(t, addr)
		transact(t, client, topic, kgo.TryCommit, "0", "1", "2", "") // 0 to 3, the marker is 4
		transact(t, client, topic, kgo.TryAbort, "5", "6")           // 5 and 6, the marker is 7
		transact(t, client, topic, kgo.TryCommit, "8")               // 8, the marker is 9
		other := transactor(t, addr)
		begin(t, other, topic, "10")
		transact(t, client, topic, kgo.TryCommit, "11") // the marker is 12
		if err := other.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			first, last int64
			want        string
		}{
			{0, 9, "[0 1 2 3 8]"}, {1, 2, "[1 2]"}, {2, 2, "[2]"}, {3, 7, "[3]"}, {4, 4, "[]"}, {5, 6, "[]"}, {5, 8, "[8]"}, {9, 9, "[]"},
			{10, 10, "[]"}, {10, 11, "[11]"},
		} {
			got, err := read(t.Context(), r, topic, tc.first, tc.last)
			offsets := []int64{}
			for _, d := range got {
				offsets = append(offsets, d.Kafka.Offset)
			}
			if err != nil || fmt.Sprint(offsets) != tc.want {
				t.Errorf("%d to %d: %d, want %s, %v", tc.first, tc.last, offsets, tc.want, err)
			}
		}

		got, err := read(t.Context(), r, topic, 2, 3)
		if err != nil || len(got) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		d := got[0]
		if d.ID != topic+"-1@2" || string(d.Body) != "2" || string(d.Kafka.Key) != "k2" || d.Kafka.Topic != topic || d.Kafka.Partition != 1 ||
			len(d.Kafka.Headers) != 1 || string(d.Kafka.Headers[0].Value) != "2" || !d.Arrived.Equal(time.UnixMilli(1_700_000_000_000)) {
			t.Errorf("%+v of %+v", d, d.Kafka)
		}
		if got[1].Body != nil {
			t.Errorf("a tombstone is %q", got[1].Body)
		}
	})
}

func TestReaderBounds(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		r, client, topic := testReader(t, k.shared(t))
		transact(t, client, topic, kgo.TryCommit, "0", "1", "2")
		deleted := kadm.Offsets{}
		deleted.AddOffset(topic, 1, 2, -1)
		if res, err := kadm.NewClient(client).DeleteRecords(t.Context(), deleted); err != nil || res.Error() != nil {
			t.Fatal(err, res.Error())
		}
		if start, end, err := r.Bounds(t.Context(), topic, 1); start != 2 || end != 4 || err != nil {
			t.Errorf("%d to %d, %v", start, end, err)
		}
		if got, err := read(t.Context(), r, topic, 1, 2); err == nil {
			t.Errorf("what is deleted is skipped silently: %+v", got)
		}
		if got, err := read(t.Context(), r, topic, 2, 2); err != nil || len(got) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		if _, _, err := r.Bounds(t.Context(), topic, 2); err == nil {
			t.Error("a partition that is not there has bounds")
		}
		if _, _, err := r.Bounds(t.Context(), "reader-"+uuid.NewString(), 0); err == nil {
			t.Error("a topic that is not there has bounds")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := read(ctx, r, topic, 2, 2); err == nil {
			t.Error("an interruption is no error")
		}
	})
}
