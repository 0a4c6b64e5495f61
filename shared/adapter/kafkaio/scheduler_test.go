package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
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
