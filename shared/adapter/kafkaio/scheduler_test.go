package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

// broker is what a scheduler fetches from: it knows which partitions are paused.
type broker struct{ paused map[Partition]bool }

func (b *broker) PauseFetchPartitions(m map[string][]int32) map[string][]int32 {
	b.set(m, true)
	return nil
}
func (b *broker) ResumeFetchPartitions(m map[string][]int32) { b.set(m, false) }

func (b *broker) set(m map[string][]int32, paused bool) {
	for topic, numbers := range m {
		for _, n := range numbers {
			b.paused[Partition{topic, n}] = paused
		}
	}
}

func testScheduler(o SourceOptions, partitions ...int32) (*scheduler, *broker) {
	o.setDefaults()
	s, b := newScheduler(&o), &broker{make(map[Partition]bool)}
	s.fetcher = b
	s.assign(map[string][]int32{"t": partitions})
	return s, b
}

// fetched is a poll's result: n records of a partition from an offset on.
func fetched(partition int32, offset int64, n int) kgo.Fetches {
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Topic: "t", Partition: partition, Offset: offset + int64(i), Value: []byte("value")}
	}
	return kgo.Fetches{{Topics: []kgo.FetchTopic{{
		Topic: "t", Partitions: []kgo.FetchPartition{{Partition: partition, Records: records}},
	}}}}
}

// text shows a batch as partition:first-last of each share.
func (b *batch) text() string {
	s := ""
	for _, p := range b.parts {
		s += fmt.Sprintf("%d:%d-%d ", p.p.id.Number, p.records[0].Offset, p.records[len(p.records)-1].Offset)
	}
	return s
}

func TestBatchWaitsForItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := testScheduler(SourceOptions{Records: 10, Window: time.Second}, 0, 1)
		start := time.Now()
		s.add(fetched(0, 0, 3))
		go func() {
			time.Sleep(400 * time.Millisecond)
			s.add(fetched(1, 7, 2))
		}()
		b := s.next(t.Context())
		if got := b.text(); got != "0:0-2 1:7-8 " || time.Since(start) != time.Second {
			t.Errorf("batch %safter %s, want both partitions after 1s", got, time.Since(start))
		}
	})
}

func TestFullBatchDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := testScheduler(SourceOptions{Records: 10, Window: time.Hour}, 0, 1)
		start := time.Now()
		s.add(fetched(0, 0, 8))
		s.add(fetched(1, 0, 8))
		b := s.next(t.Context())
		if got := b.text(); got != "0:0-7 1:0-1 " || time.Since(start) != 0 {
			t.Errorf("batch %safter %s", got, time.Since(start))
		}
	})
}

func TestPartitionIsInOneBatchAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := testScheduler(SourceOptions{Records: 5, Concurrency: 3}, 0, 1)
		s.add(fetched(0, 0, 20))
		s.add(fetched(1, 0, 3))
		first, second := s.next(t.Context()), s.next(t.Context())
		if got := first.text() + second.text(); got != "0:0-4 1:0-2 " {
			t.Errorf("batches %s", got)
		}
		third := make(chan *batch)
		go func() { third <- s.next(t.Context()) }()
		synctest.Wait()
		select {
		case b := <-third:
			t.Fatalf("a third batch %s while both partitions are in one", b.text())
		default:
		}
		first.judge(nil, nil)
		s.settle(first)
		if got := (<-third).text(); got != "0:5-9 " {
			t.Errorf("third batch %s", got)
		}
	})
}

func TestFailedPartitionDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := testScheduler(SourceOptions{Records: 10, Backoff: func(n int) time.Duration { return time.Duration(n) * time.Minute }}, 0, 1)
		start := time.Now()
		s.add(fetched(0, 0, 4))
		s.add(fetched(1, 0, 4))
		b := s.next(t.Context())
		b.judge(map[Partition]int64{{"t", 0}: 2}, nil)
		if got := b.offsets()["t"]; got[0].Offset != 2 || got[1].Offset != 4 {
			t.Errorf("to commit: %v", got)
		}
		s.settle(b)
		s.add(fetched(1, 4, 1))
		if got := s.next(t.Context()); got.text() != "1:4-4 " || time.Since(start) != 0 {
			t.Errorf("batch %safter %s, want the healthy partition at once", got.text(), time.Since(start))
		}
		if got := s.next(t.Context()); got.text() != "0:2-3 " || time.Since(start) != time.Minute {
			t.Errorf("batch %safter %s, want the failed rest after a minute", got.text(), time.Since(start))
		}
	})
}

// TestDemandBesidesAFailedPartition: however much of it waits, the others are read.
func TestDemandBesidesAFailedPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := testScheduler(SourceOptions{Records: 10, Backoff: func(int) time.Duration { return time.Hour }}, 0, 1)
		s.add(fetched(0, 0, 100))
		b := s.next(t.Context())
		if wanted, _ := s.demand(time.Now()); wanted {
			t.Error("more is wanted with ninety records waiting")
		}
		b.judge(nil, errors.New("failed"))
		s.settle(b)
		if wanted, _ := s.demand(time.Now()); !wanted {
			t.Error("nothing is wanted of the healthy partition")
		}
	})
}

// TestDemandForAFreeWorker: others' records wait in plenty, and a free worker has none; it
// gets a look every 50 ms.
func TestDemandForAFreeWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := testScheduler(SourceOptions{Records: 10, Concurrency: 2}, 0, 1)
		s.add(fetched(0, 0, 100))
		s.next(t.Context())
		start := time.Now()
		if !s.awaitDemand(t.Context()) || time.Since(start) != lookEvery {
			t.Errorf("wanted after %s", time.Since(start))
		}
	})
}

// TestBisect: a record that fails every batch it is in ends up alone, what is before it
// gets done, and batches grow again behind it.
func TestBisect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const poison = 11
		s, _ := testScheduler(SourceOptions{Records: 16, Bisect: true, Backoff: func(int) time.Duration { return time.Second }}, 0, 1)
		s.add(fetched(0, 0, 32))
		failures, done := 0, int64(0)
		for done < 32 {
			b := s.next(t.Context())
			first, last := b.records[0].Offset, b.records[len(b.records)-1].Offset
			bad := first <= poison && poison <= last && failures < 20
			if bad && len(b.records) == 1 {
				failures = 20 // mended
			}
			var err error
			if bad {
				failures++
				err = errors.New("poison")
			} else if done = last + 1; first > poison && last < 31 && len(b.records) > 16 {
				t.Errorf("batch %s", b.text())
			}
			b.judge(nil, err)
			s.settle(b)
		}
		if failures != 21 {
			t.Errorf("the poison record never was alone")
		}
	})
}

func TestForeignAnswerFailsTheWholeBatch(t *testing.T) {
	for name, failed := range map[string]map[Partition]int64{
		"offset before":     {{"t", 0}: 4},
		"offset after":      {{"t", 0}: 8},
		"other partition":   {{"t", 1}: 5},
		"one of two is bad": {{"t", 0}: 6, {"u", 0}: 6},
	} {
		s, _ := testScheduler(SourceOptions{}, 0)
		s.add(fetched(0, 5, 3))
		b := s.next(t.Context())
		if err := b.judge(failed, nil); err == nil || len(b.offsets()) != 0 {
			t.Errorf("%s: err %v, to commit %v", name, err, b.offsets())
		}
	}
}

func TestRecordLargerThanABatch(t *testing.T) {
	s, _ := testScheduler(SourceOptions{Bytes: 1000}, 0)
	f := fetched(0, 0, 3)
	f[0].Topics[0].Partitions[0].Records[1].Value = make([]byte, 5000)
	s.add(f)
	for _, want := range []string{"0:0-0 ", "0:1-1 ", "0:2-2 "} {
		b := s.next(t.Context())
		if b.text() != want {
			t.Errorf("batch %s, want %s", b.text(), want)
		}
		b.judge(nil, nil)
		s.settle(b)
	}
}

func TestReleaseWaitsForTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := testScheduler(SourceOptions{Concurrency: 2}, 0, 1)
		s.add(fetched(0, 0, 3))
		b := s.next(t.Context())
		s.add(fetched(0, 3, 3))
		released := make(chan struct{})
		go func() {
			s.forget(s.leave(map[string][]int32{"t": {0, 1}}, false))
			close(released)
		}()
		synctest.Wait()
		select {
		case <-released:
			t.Fatal("released with a batch under way")
		default:
		}
		b.judge(nil, nil)
		if s.undoGone(b, false); b.offsets()["t"][0].Offset != 3 {
			t.Errorf("to commit %v", b.offsets())
		}
		if s.undoGone(b, true); len(b.offsets()) != 0 {
			t.Errorf("to commit %v, after the group had put us out", b.offsets())
		}
		s.settle(b)
		<-released
		if len(s.parts) != 0 {
			t.Errorf("still has %v", s.parts)
		}
	})
}

func TestLostPartitionIsNotCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := testScheduler(SourceOptions{}, 0, 1)
		s.add(fetched(0, 0, 3))
		s.add(fetched(1, 0, 3))
		b := s.next(t.Context())
		go s.forget(s.leave(map[string][]int32{"t": {0}}, true))
		synctest.Wait()
		b.judge(nil, nil)
		s.undoGone(b, false)
		if o := b.offsets()["t"]; len(o) != 1 || o[1].Offset != 3 {
			t.Errorf("to commit %v, want partition 1 only", o)
		}
		s.settle(b)
	})
}

// TestSchedulerProperties drives a scheduler with random fetches, batches, outcomes,
// pauses and rebalances.
func TestSchedulerProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"fetch":   w.fetch,
			"batch":   w.batch,
			"outcome": w.outcome,
			"wait": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond)
			},
			"rebalance": w.rebalance,
			"":          w.check,
		})
		w.finish(t)
	})
}

// world is a topic, a scheduler that reads it, and what has become of the records.
type world struct {
	s       *scheduler
	b       *broker
	now     time.Time
	flying  []*batch
	fetchAt map[int32]int64 // the next offset that a fetch returns
	done    map[int32]int64 // committed
	whole   map[int32]bool  // the partition's last batch failed as a whole
}

const (
	worldPartitions, worldEnd = 3, 200
	maxFetched                = 40 * 200 // bytes: 40 records
)

func newWorld(t *rapid.T) *world {
	w := &world{now: time.Unix(1e9, 0), fetchAt: map[int32]int64{}, done: map[int32]int64{}, whole: map[int32]bool{}}
	w.s, w.b = testScheduler(SourceOptions{
		Records:     rapid.IntRange(1, 20).Draw(t, "records"),
		Bytes:       rapid.IntRange(100, 5000).Draw(t, "bytes"),
		Window:      time.Duration(rapid.IntRange(0, 1000).Draw(t, "window")) * time.Millisecond,
		Concurrency: rapid.IntRange(1, 4).Draw(t, "concurrency"),
		Bisect:      rapid.Bool().Draw(t, "bisect"),
		Now:         func() time.Time { return w.now },
	}, 0, 1, 2)
	w.s.resumeBelow = rapid.IntRange(1, 2000).Draw(t, "resume")
	w.s.pauseAbove = w.s.resumeBelow + rapid.IntRange(0, 2000).Draw(t, "pause")
	return w
}

func (w *world) partition(t *rapid.T) int32 {
	return rapid.Int32Range(0, worldPartitions-1).Draw(t, "partition")
}

func (w *world) fetch(t *rapid.T) {
	p := w.partition(t)
	n := min(rapid.Int64Range(1, 40).Draw(t, "n"), worldEnd-w.fetchAt[p])
	if wanted, _ := w.s.demand(w.now); n == 0 || !wanted || w.b.paused[Partition{"t", p}] {
		return
	}
	w.s.add(fetched(p, w.fetchAt[p], int(n)))
	w.fetchAt[p] += n
}

func (w *world) batch(t *rapid.T) {
	if len(w.flying) == w.s.o.Concurrency {
		return
	}
	if b, _ := w.s.take(w.now); b != nil {
		w.begin(t, b)
	}
}

func (w *world) begin(t *rapid.T, b *batch) {
	w.s.working++
	w.s.resume()
	if len(b.records) == 0 || len(b.records) > w.s.o.Records {
		t.Fatalf("%d records in a batch", len(b.records))
	}
	size := 0
	for _, r := range b.records {
		size += payloadSize(r)
	}
	if size > w.s.o.Bytes && len(b.records) > 1 {
		t.Fatalf("%d bytes in a batch of %d records", size, len(b.records))
	}
	for _, s := range b.parts {
		id := s.p.id.Number
		for _, other := range w.flying {
			if slices.ContainsFunc(other.parts, func(o share) bool { return o.p.id.Number == id }) {
				t.Fatalf("partition %d is in two batches", id)
			}
		}
		for i, r := range s.records {
			if r.Partition != id || r.Offset != w.done[id]+int64(i) {
				t.Fatalf("offset %d of partition %d, want %d", r.Offset, id, w.done[id]+int64(i))
			}
		}
		if w.whole[id] && len(b.parts) > 1 {
			t.Fatalf("partition %d shares a batch after it failed as a whole", id)
		}
	}
	w.flying = append(w.flying, b)
}

func (w *world) outcome(t *rapid.T) {
	if len(w.flying) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.flying)-1).Draw(t, "batch")
	var err error
	failed := map[Partition]int64{}
	switch rapid.SampledFrom([]string{"ok", "err", "partial"}).Draw(t, "outcome") {
	case "err":
		err = errors.New("failed")
	case "partial":
		for _, s := range w.flying[i].parts {
			if rapid.Bool().Draw(t, "bad") {
				failed[s.p.id] = rapid.SampledFrom(s.records).Draw(t, "record").Offset
			}
		}
	}
	w.end(i, failed, err)
}

func (w *world) end(i int, failed map[Partition]int64, err error) {
	b := w.flying[i]
	w.flying = slices.Delete(w.flying, i, i+1)
	b.judge(failed, err)
	for _, s := range b.parts {
		w.whole[s.p.id.Number] = err != nil
	}
	for p, o := range b.offsets()["t"] {
		w.done[p] = o.Offset
	}
	w.s.settle(b)
}

// rebalance takes a partition away and gives it back: it is read from its committed offset.
func (w *world) rebalance(t *rapid.T) {
	p := w.partition(t)
	for i := len(w.flying) - 1; i >= 0; i-- {
		if slices.ContainsFunc(w.flying[i].parts, func(s share) bool { return s.p.id.Number == p }) {
			w.end(i, nil, nil)
		}
	}
	w.s.forget(w.s.leave(map[string][]int32{"t": {p}}, false))
	w.b.paused[Partition{"t", p}] = false
	w.s.assign(map[string][]int32{"t": {p}})
	w.fetchAt[p], w.whole[p] = w.done[p], false
}

func (w *world) check(t *rapid.T) {
	for id, p := range w.s.parts {
		if p.paused != w.b.paused[id] {
			t.Fatalf("partition %v: paused %v here, %v at the broker", id, p.paused, w.b.paused[id])
		}
		waiting := 0
		for _, q := range p.queue[p.taken:] {
			waiting += q.size
		}
		if waiting != p.waiting {
			t.Fatalf("partition %v counts %d bytes that wait, of %d", id, p.waiting, waiting)
		}
		if limit := w.s.pauseAbove + 2*maxFetched; waiting > limit {
			t.Fatalf("partition %v holds %d bytes", id, waiting)
		}
	}
}

// finish lets everything succeed: then all records must come through.
func (w *world) finish(t *rapid.T) {
	for range 10_000 {
		for len(w.flying) > 0 {
			w.end(0, nil, nil)
		}
		w.now = w.now.Add(time.Minute) // past windows and pauses
		if b, _ := w.s.take(w.now); b != nil {
			w.begin(t, b)
			continue
		}
		if wanted, _ := w.s.demand(w.now); !wanted {
			t.Fatal("nothing to do, and no records wanted")
		}
		before := fmt.Sprint(w.fetchAt)
		for p := range int32(worldPartitions) {
			if n := worldEnd - w.fetchAt[p]; n > 0 && !w.b.paused[Partition{"t", p}] {
				w.s.add(fetched(p, w.fetchAt[p], int(min(n, 30))))
				w.fetchAt[p] += min(n, 30)
			}
		}
		if fmt.Sprint(w.fetchAt) == before {
			break
		}
	}
	for p := range int32(worldPartitions) {
		if w.done[p] != worldEnd {
			t.Fatalf("partition %d ends at %d of %d", p, w.done[p], worldEnd)
		}
	}
}

func TestPayloadSizeIsNotLessThanLambdas(t *testing.T) {
	r := &kgo.Record{Topic: "events", Partition: 12, Offset: 1 << 40, Timestamp: time.UnixMilli(1 << 41), Key: make([]byte, 10), Value: make([]byte, 100),
		Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte("\xff\xfe\xfd")}}}
	const lambdas = `{"topic":"events","partition":12,"offset":1099511627776,"timestamp":2199023255552,"timestampType":"CREATE_TIME",` +
		`"key":"AAAAAAAAAAAAAA==","value":"","headers":[{"ce_id":[-1,-2,-3]}]},`
	if got, want := payloadSize(r), len(lambdas)+136; got < want || got > want+40 {
		t.Errorf("%d bytes, Lambda's are %d", got, want)
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := testScheduler(SourceOptions{}, 0)
		ctx, cancel := context.WithCancel(t.Context())
		defer context.AfterFunc(ctx, s.wake)()
		time.AfterFunc(time.Second, cancel)
		if b := s.next(ctx); b != nil {
			t.Errorf("batch %s", b.text())
		}
		if s.awaitDemand(ctx) {
			t.Error("still wants records")
		}
	})
}
