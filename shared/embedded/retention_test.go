package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio/broker"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// trimmed is a broker with one partition, and the retention of one hour on it.
type trimmed struct {
	t      *testing.T
	dir    string
	client *kgo.Client
	keep   retention
}

func startTrimmed(t *testing.T, dir string, now time.Time) *trimmed {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Options{Dir: dir, Addr: "127.0.0.1:0", Topics: map[string]int32{"events": 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	client, err := kafkaio.Dial(t.Context(), &kafkaio.Config{Brokers: []string{b.Addr()}}, kgo.DefaultProduceTopic("events"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &trimmed{t, dir, client, retention{
		group: "g", topic: "events", age: time.Hour, now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler),
	}}
}

// produce sends records, each a batch of its own.
func (b *trimmed) produce(n int, at time.Time) {
	b.t.Helper()
	for i := range n {
		r := &kgo.Record{Value: fmt.Append(nil, i), Timestamp: at}
		if err := b.client.ProduceSync(b.t.Context(), r).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *trimmed) commit(at int64) {
	b.t.Helper()
	var o kadm.Offsets
	o.AddOffset("events", 0, at, -1)
	if err := kadm.NewClient(b.client).CommitAllOffsets(b.t.Context(), "g", o); err != nil {
		b.t.Fatal(err)
	}
}

// apply trims, and returns the first offset that is left and the end.
func (b *trimmed) apply() (first, end int64) {
	b.t.Helper()
	if err := b.keep.apply(b.t.Context(), b.client); err != nil {
		b.t.Fatal(err)
	}
	return b.offsets()
}

func (b *trimmed) offsets() (first, end int64) {
	b.t.Helper()
	admin := kadm.NewClient(b.client)
	starts, err := admin.ListStartOffsets(b.t.Context(), "events")
	if err != nil {
		b.t.Fatal(err)
	}
	ends, err := admin.ListEndOffsets(b.t.Context(), "events")
	if err != nil {
		b.t.Fatal(err)
	}
	return starts["events"][0].Offset, ends["events"][0].Offset
}

// Records go when they are both committed and old; the last one stays.
func TestRetention(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	b := startTrimmed(t, t.TempDir(), now)
	if first, _ := b.apply(); first != 0 {
		t.Fatalf("an empty topic begins at %d", first)
	}
	b.produce(5, now.Add(-2*time.Hour))
	if first, _ := b.apply(); first != 0 {
		t.Errorf("records that nobody has committed were deleted: the log begins at %d", first)
	}
	b.commit(3)
	if first, _ := b.apply(); first != 3 {
		t.Errorf("3 old records are committed, the log begins at %d", first)
	}
	b.commit(5)
	if first, _ := b.apply(); first != 4 {
		t.Errorf("all 5 are committed and the last one stays, the log begins at %d", first)
	}
	b.produce(2, now.Add(-time.Minute))
	b.commit(7)
	if first, end := b.apply(); first != 5 || end != 7 {
		t.Errorf("2 young records are committed, the log goes from %d to %d", first, end)
	}
}

// A broker that is killed after deleting goes on where it was: what is not committed is
// there, and no offset is given twice.
func TestRetentionAndKill(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	b := startTrimmed(t, t.TempDir(), now)
	b.produce(6, now.Add(-2*time.Hour))
	for _, committed := range []int64{4, 6} {
		b.commit(committed)
		b.apply()
		// What a kill leaves is what is in the files now.
		killed := t.TempDir()
		if err := os.CopyFS(killed, os.DirFS(b.dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(killed, "LOCK")); err != nil {
			t.Fatal(err)
		}
		after := startTrimmed(t, killed, now)
		if _, end := after.offsets(); end != 6 {
			t.Fatalf("%d committed: after the kill the log ends at %d, not 6", committed, end)
		}
		lags, err := kafkaio.Lag(t.Context(), after.client, "g", "events")
		if err != nil {
			t.Fatal(err)
		}
		if lags[0].Lag != 6-committed {
			t.Errorf("%d committed: after the kill %d records are to be read", committed, lags[0].Lag)
		}
		after.apply()
		readFrom(t, after, committed, 6)
	}
}

// A running pipeline trims its own broker's log, and goes on after it.
func TestPipelineTrimsItsLog(t *testing.T) {
	o := options(t, t.TempDir())
	o.Kafka.Retention = 50 * time.Millisecond
	p := start(t, o)
	lines := flights(t)
	half := len(lines) / 2
	client, err := kafkaio.Dial(t.Context(), &p.kafka.config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	produce(t, p, lines[:half])
	eventually(t, "the log begins after records that are done", func() bool {
		starts, err := kadm.NewClient(client).ListStartOffsets(t.Context(), Topic)
		if err != nil {
			t.Fatal(err)
		}
		gone := int64(0)
		starts.Each(func(o kadm.ListedOffset) { gone += o.Offset })
		return gone > 0
	})
	produce(t, p, lines[half:])
	eventually(t, "everything is stored", func() bool { return count(t, p, store.Filter{}) == int64(len(lines)) })
}

// readFrom checks that every offset from first up to end can be read.
func readFrom(t *testing.T, b *trimmed, first, end int64) {
	t.Helper()
	b.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{"events": {0: kgo.NewOffset().At(first)}})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for want := first; want < end; {
		fetches := b.client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("offset %d cannot be read: %v", want, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset != want {
				t.Errorf("read offset %d, want %d", r.Offset, want)
			}
			want++
		})
	}
}

// Whatever the offsets are, nothing goes that is not committed, is young or is the last.
func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := rapid.Int64Range(0, 100).Draw(t, "end")
		l := kafkaio.PartitionLag{End: end, Committed: rapid.Int64Range(-1, end).Draw(t, "committed")}
		young := rapid.Int64Range(0, end).Draw(t, "young")
		at := cut(l, young)
		if at > l.Committed || at > young || at >= max(end, 1) {
			t.Fatalf("cut at %d of %d, committed %d, young from %d", at, end, l.Committed, young)
		}
	})
}
