package kafkaio_test
import ("testing";"context";"fmt";"time";"os";"log/slog";"sync/atomic";"github.com/twmb/franz-go/pkg/kgo";"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio")
func BenchmarkZZ(b *testing.B) {
	addr, topic := benchTopic(b)
	fill(b, addr, topic, 300000, 540)
	var left, lastCall atomic.Int64
	left.Store(300000)
	ctx, cancel := context.WithCancel(b.Context())
	cfg := config(addr)
	t0 := time.Now()
	s, err := kafkaio.NewSource(ctx, cfg, kafkaio.SourceOptions{
		Group: topic, Topics: []string{topic}, Records: 100, Concurrency: 4, Window: time.Millisecond, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Handle: func(_ context.Context, batch []*kgo.Record) (map[kafkaio.Partition]int64, error) {
			l := left.Add(-int64(len(batch)))
			now := time.Now().UnixNano(); if p := lastCall.Swap(now); p != 0 && now-p > 50e6 { fmt.Println("gap", time.Duration(now-p), time.Since(t0), l) }
			if l == 0 {
				cancel()
			}
			return nil, nil
		},
	})
	if err != nil { b.Fatal(err) }
	s.Run(ctx)
	fmt.Println("end", time.Since(t0))
}
