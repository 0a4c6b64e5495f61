package kafkaio_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio/broker"
)

const benchPartitions = 4

// benchTopic is a topic on kfake with its data directory: broker and client are in this
// process, so the CPU figures are those of both.
func benchTopic(b *testing.B) (addr, topic string) {
	b.Helper()
	topic = "bench"
	k, err := broker.Start(b.Context(), broker.Options{Dir: b.TempDir(), Addr: "127.0.0.1:0", Topics: map[string]int32{topic: benchPartitions}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { k.Close() })
	return k.Addr(), topic
}

func fill(b *testing.B, addr, topic string, n, size int) {
	b.Helper()
	p, err := kafkaio.NewProducer(b.Context(), config(addr), topic)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	texts := make([][]byte, 1000)
	for i := range texts {
		texts[i] = bytes.Repeat([]byte("{}"), size/2) // half of it compresses
		copy(texts[i], randomBytes(size/2+i%size/2))
	}
	var failed atomic.Pointer[error]
	for i := range n {
		p.Produce(b.Context(), &kgo.Record{Key: fmt.Append(nil, i), Value: texts[i%len(texts)]}, func(err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := p.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
}

func BenchmarkProducer(b *testing.B) {
	for _, size := range []int{540, 1100} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			addr, topic := benchTopic(b)
			measure(b, func() { fill(b, addr, topic, b.N, size) })
		})
	}
}

func BenchmarkSource(b *testing.B) {
	for _, size := range []int{540, 1100} {
		for _, records := range []int{100, 1000, 10_000} {
			for _, concurrency := range []int{1, 4} {
				b.Run(fmt.Sprintf("size=%d/batch=%d/concurrency=%d", size, records, concurrency), func(b *testing.B) {
					addr, topic := benchTopic(b)
					fill(b, addr, topic, b.N, size)
					measure(b, func() { drain(b, addr, topic, records, concurrency) })
				})
			}
		}
	}
}

// drain reads b.N records with a source, until all are committed.
func drain(b *testing.B, addr, topic string, records, concurrency int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	ctx, cancel := context.WithCancel(b.Context())
	s, err := kafkaio.NewSource(ctx, config(addr), kafkaio.SourceOptions{
		Group: topic, Topics: []string{topic}, Records: records, Concurrency: concurrency, Window: time.Millisecond,
		Handle: func(_ context.Context, batch []*kgo.Record) (map[kafkaio.Partition]int64, error) {
			if left.Add(-int64(len(batch))) == 0 {
				cancel()
			}
			return nil, nil
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	s.Run(ctx)
	if n := left.Load(); n != 0 {
		b.Fatalf("%d records are left", n)
	}
}

// measure reports records per second, and CPU of the whole process per record.
func measure(b *testing.B, work func()) {
	b.Helper()
	before := cpu()
	b.ReportAllocs()
	b.ResetTimer()
	work()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "cpu-ns/record")
}

func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
