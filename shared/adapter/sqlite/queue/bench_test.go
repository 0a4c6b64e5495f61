package queue_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sqlite "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/queue"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// BenchmarkPipe sends messages of 60 KiB, the size of a pack, and receives and deletes
// them, from several goroutines at once, as the embedded pipeline does.
func BenchmarkPipe(b *testing.B) {
	for _, workers := range []int{1, 4} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) { benchmarkPipe(b, workers) })
	}
}

func benchmarkPipe(b *testing.B, workers int) {
	path := filepath.Join(b.TempDir(), "queues.db")
	broker, err := sqlite.Open(b.Context(), path, sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = broker.Close() }()
	if err := broker.Create(b.Context(), "q", queue.Config{}); err != nil {
		b.Fatal(err)
	}
	q, err := broker.Queue(b.Context(), "q")
	if err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte("0123456789abcdef"), 60<<10/16)
	attrs := map[string]string{"ce-type": "pack", "encoding": "s2", "count": "250"}
	b.SetBytes(int64(len(body)))
	b.ResetTimer()

	// At most 320 messages under way: a pipeline that keeps up.
	window := make(chan struct{}, 320/queue.MaxBatch)
	var toSend, received atomic.Int64
	toSend.Store(int64(b.N))
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				n := min(queue.MaxBatch, toSend.Add(-queue.MaxBatch)+queue.MaxBatch)
				if n <= 0 {
					return
				}
				window <- struct{}{}
				msgs := make([]queue.Message, n)
				for i := range msgs {
					msgs[i] = queue.Message{Body: body, Attributes: attrs}
				}
				for _, err := range q.Send(b.Context(), msgs) {
					if err != nil {
						b.Error(err)
					}
				}
			}
		})
		wg.Go(func() {
			for received.Load() < int64(b.N) {
				msgs, err := q.Receive(b.Context(), queue.ReceiveOptions{Max: queue.MaxBatch, Wait: 100 * time.Millisecond})
				if err != nil {
					b.Error(err)
					return
				}
				receipts := make([]string, len(msgs))
				for i, m := range msgs {
					receipts[i] = m.Receipt
				}
				for _, err := range q.Delete(b.Context(), receipts) {
					if err != nil {
						b.Error(err)
					}
				}
				after := received.Add(int64(len(msgs)))
				for batches := after/queue.MaxBatch - (after-int64(len(msgs)))/queue.MaxBatch; batches > 0; batches-- {
					<-window
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	for _, name := range []string{"", "-wal"} {
		if info, err := os.Stat(path + name); err == nil {
			b.ReportMetric(float64(info.Size())/(1<<20), "MiB"+name)
		}
	}
}
