//go:build integration

package e2e

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"
)

// load is a producer of events with ids 1, 2, 3 …
type load struct {
	kafka, topic, source string
	perSecond            float64 // 0: as fast as Kafka takes them
}

const loadBatch = 200

// run produces until ctx is done, each event until it is acknowledged, and returns how
// many that were; acked has the number meanwhile.
func (l load) run(ctx context.Context, t *testing.T, acked *atomic.Int64) int64 {
	client, err := kgo.NewClient(kgo.SeedBrokers(l.kafka), kgo.DefaultProduceTopic(l.topic), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordRetries(1<<30), kgo.UnknownTopicRetries(-1), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		t.Error(err)
		return 0
	}
	defer client.Close()
	pace := rate.NewLimiter(rate.Inf, loadBatch)
	if l.perSecond > 0 {
		pace.SetLimit(rate.Limit(l.perSecond))
	}
	var sent int64
	for ctx.Err() == nil && pace.WaitN(ctx, loadBatch) == nil {
		batch := make([]*kgo.Record, loadBatch)
		for i := range batch {
			sent++
			batch[i] = &kgo.Record{Value: fmt.Appendf(nil, `{"specversion":"1.0","id":"%09d","source":"%s","type":"com.example.order.placed","tenantid":"t%d","data":{"n":%d}}`, sent, l.source, sent%7, sent)}
		}
		for _, r := range client.ProduceSync(context.WithoutCancel(ctx), batch...) {
			if r.Err != nil {
				t.Errorf("produce: %v", r.Err)
				return sent
			}
		}
		acked.Add(loadBatch)
	}
	return sent
}

// running is a load that is under way.
type running struct {
	acked atomic.Int64
	stop  func() int64 // ends it and returns how many events Kafka has acknowledged
}

func (l load) start(t *testing.T) *running {
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{}
	done := make(chan int64, 1)
	go func() { done <- l.run(ctx, t, &r.acked) }()
	r.stop = sync.OnceValue(func() int64 { cancel(); return <-done })
	t.Cleanup(func() { r.stop() }) // before the test ends, however it ends
	return r
}
