package kafkaio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
)

// journal is what all members of a group have been given, and what they are at.
type journal struct {
	mu   sync.Mutex
	seen map[kafkaio.Partition][]int64 // offsets in the order of the handler's success
	ids  map[string]int                // values, with how often they were done
	busy map[kafkaio.Partition]int     // batches under way
	bad  []string                      // rules broken
}

func newJournal() *journal {
	return &journal{seen: map[kafkaio.Partition][]int64{}, ids: map[string]int{}, busy: map[kafkaio.Partition]int{}}
}

// handle checks that no other batch has one of the partitions, lets work decide, and
// notes what is done.
func (j *journal) handle(work kafkaio.Handler) kafkaio.Handler {
	return func(ctx context.Context, batch []*kgo.Record) (map[kafkaio.Partition]int64, error) {
		parts := map[kafkaio.Partition]bool{}
		for _, r := range batch {
			parts[partitionOf(r)] = true
		}
		j.enter(parts, 1)
		failed, err := work(ctx, batch)
		j.enter(parts, -1)
		if err == nil {
			j.note(batch, failed)
		}
		return failed, err
	}
}

func partitionOf(r *kgo.Record) kafkaio.Partition {
	return kafkaio.Partition{Topic: r.Topic, Number: r.Partition}
}

func (j *journal) enter(parts map[kafkaio.Partition]bool, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for p := range parts {
		if j.busy[p] += n; j.busy[p] > 1 {
			j.bad = append(j.bad, fmt.Sprintf("partition %d is in %d batches at once", p.Number, j.busy[p]))
		}
	}
}

func (j *journal) note(batch []*kgo.Record, failed map[kafkaio.Partition]int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range batch {
		p := partitionOf(r)
		if from, bad := failed[p]; bad && r.Offset >= from {
			continue
		}
		j.seen[p] = append(j.seen[p], r.Offset)
		j.ids[string(r.Value)]++
	}
}

// done is how many different records were done.
func (j *journal) done() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.ids)
}

func (j *journal) await(t *testing.T, n int) {
	t.Helper()
	eventually(t, func() error {
		if got := j.done(); got < n {
			return fmt.Errorf("%d records of %d are done", got, n)
		}
		return nil
	})
}

// exactlyOnce fails the test unless records 0 to n-1 were each done once, in order.
func (j *journal) exactlyOnce(t *testing.T, n int) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range n {
		if times := j.ids[fmt.Sprint(i)]; times != 1 {
			t.Errorf("record %d was done %d times", i, times)
		}
	}
	for p, offsets := range j.seen {
		if !slices.IsSorted(offsets) {
			t.Errorf("partition %d: out of order: %v", p.Number, offsets)
		}
	}
	for _, b := range j.bad {
		t.Error(b)
	}
}

// atLeastOnce fails the test unless every offset of each partition was done, and none but
// repeats of them a second time. It returns how many were.
func (j *journal) atLeastOnce(t *testing.T, repeats int) (twice int) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for p, offsets := range j.seen {
		sorted := slices.Sorted(slices.Values(offsets))
		distinct := slices.Compact(slices.Clone(sorted))
		if last := distinct[len(distinct)-1]; distinct[0] != 0 || last != int64(len(distinct))-1 {
			t.Errorf("partition %d: %d offsets from %d to %d are done: there is a gap", p.Number, len(distinct), distinct[0], last)
		}
		again := len(sorted) - len(distinct)
		if again > repeats {
			t.Errorf("partition %d: %d records were done twice, want at most %d", p.Number, again, repeats)
		}
		twice += again
	}
	for _, b := range j.bad {
		t.Error(b)
	}
	return twice
}

// succeed is the handler that does everything.
func succeed(context.Context, []*kgo.Record) (map[kafkaio.Partition]int64, error) { return nil, nil }

// startSource runs a source until stop is called, or until the test ends.
func startSource(t *testing.T, addr string, o kafkaio.SourceOptions) (stop func()) {
	t.Helper()
	s, err := kafkaio.NewSource(t.Context(), config(addr), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return stop
}

func totalLag(t *testing.T, addr, group, topic string) (n int64) {
	t.Helper()
	lags, err := kafkaio.Lag(t.Context(), dial(t, addr), group, topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lags {
		n += l.Lag
	}
	return n
}

func TestSourceReadsEverythingOnce(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		addr, n := k.shared(t), 3000
		topic := newTopic(t, addr, 3)
		j := newJournal()
		largest := 0
		stop := startSource(t, addr, kafkaio.SourceOptions{
			Group: topic, Topics: []string{topic}, Records: 100, Concurrency: 3, Window: 10 * time.Millisecond,
			Handle: j.handle(func(_ context.Context, batch []*kgo.Record) (map[kafkaio.Partition]int64, error) {
				j.mu.Lock()
				defer j.mu.Unlock()
				largest = max(largest, len(batch))
				return nil, nil
			}),
		})
		produce(t, addr, topic, 0, n)
		j.await(t, n)
		stop()
		j.exactlyOnce(t, n)
		if largest > 100 {
			t.Errorf("a batch of %d records", largest)
		}
		if lag := totalLag(t, addr, topic, topic); lag != 0 {
			t.Errorf("lag %d after an orderly stop", lag)
		}
	})
}

// TestSourceStopsInTheMiddle: what was begun is done and committed, the rest comes to the
// next run, each record once.
func TestSourceStopsInTheMiddle(t *testing.T) {
	t.Parallel()
	onEachBroker(t, func(t *testing.T, k kind) {
		addr, n := k.shared(t), 2000
		topic := newTopic(t, addr, 3)
		produce(t, addr, topic, 0, n)
		j := newJournal()
		begun := make(chan struct{}, n)
		for run := 0; j.done() < n; run++ {
			stop := startSource(t, addr, kafkaio.SourceOptions{
				Group: topic, Topics: []string{topic}, Records: 50, Concurrency: 2,
				Handle: j.handle(func(context.Context, []*kgo.Record) (map[kafkaio.Partition]int64, error) {
					begun <- struct{}{}
					return nil, nil
				}),
			})
			for range 10 { // batches
				select {
				case <-begun:
				case <-time.After(time.Minute):
					t.Fatalf("run %d does not go on at %d of %d", run, j.done(), n)
				}
				if j.done() == n {
					break
				}
			}
			stop()
		}
		j.exactlyOnce(t, n)
		if lag := totalLag(t, addr, topic, topic); lag != 0 {
			t.Errorf("lag %d", lag)
		}
	})
}

// TestSourcePartialFailure: a partition goes on from the offset that failed, and the
// others go on meanwhile.
func TestSourcePartialFailure(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		addr, n := k.shared(t), 600
		topic := newTopic(t, addr, 3)
		produce(t, addr, topic, 0, n)
		sick := kafkaio.Partition{Topic: topic, Number: 1}
		j := newJournal()
		var mu sync.Mutex
		var froms []int64 // first offsets of the sick partition's batches
		stop := startSource(t, addr, kafkaio.SourceOptions{
			Group: topic, Topics: []string{topic}, Records: 40, Concurrency: 2,
			Backoff: func(int) time.Duration { return time.Millisecond },
			Handle: j.handle(func(_ context.Context, batch []*kgo.Record) (map[kafkaio.Partition]int64, error) {
				mu.Lock()
				defer mu.Unlock()
				i := slices.IndexFunc(batch, func(r *kgo.Record) bool { return partitionOf(r) == sick })
				if i < 0 {
					return nil, nil
				}
				froms = append(froms, batch[i].Offset)
				if len(froms) <= 3 || j.done() < n/2 { // until the others are nearly through
					return map[kafkaio.Partition]int64{sick: max(batch[i].Offset, 7)}, nil
				}
				return nil, nil
			}),
		})
		j.await(t, n)
		stop()
		j.exactlyOnce(t, n)
		if len(froms) < 3 || froms[0] != 0 || froms[1] != 7 || froms[2] != 7 {
			t.Errorf("the failing partition's batches began at %v", froms)
		}
	})
}

// TestSourceBisect: one record makes every batch fail that has it; only it waits.
func TestSourceBisect(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		addr, n := k.shared(t), 300
		topic := newTopic(t, addr, 2)
		produce(t, addr, topic, 0, n)
		j := newJournal()
		var mu sync.Mutex
		alone := 0
		stop := startSource(t, addr, kafkaio.SourceOptions{
			Group: topic, Topics: []string{topic}, Records: 64, Bisect: true,
			Backoff: func(int) time.Duration { return time.Millisecond },
			Handle: j.handle(func(_ context.Context, batch []*kgo.Record) (map[kafkaio.Partition]int64, error) {
				mu.Lock()
				defer mu.Unlock()
				if !slices.ContainsFunc(batch, func(r *kgo.Record) bool { return string(r.Value) == "77" }) {
					return nil, nil
				}
				if len(batch) == 1 {
					if alone++; alone == 3 {
						return nil, nil // the cause is gone
					}
				}
				return nil, errors.New("the poison record")
			}),
		})
		j.await(t, n)
		stop()
		j.exactlyOnce(t, n)
		if alone != 3 {
			t.Errorf("the poison record was alone %d times, want 3", alone)
		}
	})
}

func TestSourceFromLatest(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		addr := k.shared(t)
		topic := newTopic(t, addr, 1)
		produce(t, addr, topic, 0, 10)
		j := newJournal()
		o := kafkaio.SourceOptions{Group: topic, Topics: []string{topic}, FromLatest: true, Handle: j.handle(succeed)}
		stop := startSource(t, addr, o)
		// The group stands at the end once it has the partition; nothing tells when, so send
		// until something arrives.
		next := 10
		for j.done() == 0 {
			produce(t, addr, topic, next, 1)
			next++
		}
		stop()
		for i := range 10 {
			if j.ids[fmt.Sprint(i)] != 0 {
				t.Errorf("record %d was there before the group", i)
			}
		}
	})
}

func TestSourceOptionsThatAreWrong(t *testing.T) {
	good := kafkaio.SourceOptions{Group: "g", Topics: []string{"t"}, Handle: succeed}
	for want, change := range map[string]func(*kafkaio.SourceOptions){
		"needs a group":      func(o *kafkaio.SourceOptions) { o.Group = "" },
		"topics":             func(o *kafkaio.SourceOptions) { o.Topics = nil },
		"and a handler":      func(o *kafkaio.SourceOptions) { o.Handle = nil },
		"10000 records":      func(o *kafkaio.SourceOptions) { o.Records = 10_001 },
		"6291456 bytes":      func(o *kafkaio.SourceOptions) { o.Bytes = 7 << 20 },
		"be negative":        func(o *kafkaio.SourceOptions) { o.Concurrency = -1 },
		"cannot be negative": func(o *kafkaio.SourceOptions) { o.Window = -1 },
	} {
		o := good
		change(&o)
		if _, err := kafkaio.NewSource(t.Context(), config("127.0.0.1:1"), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
