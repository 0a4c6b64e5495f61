package mongostore

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
)

func parseAll(tb testing.TB, all [][]byte) []event.Event {
	tb.Helper()
	out := make([]event.Event, len(all))
	for i, b := range all {
		e, err := event.Parse(b)
		if err != nil {
			tb.Fatal(err)
		}
		out[i] = e
	}
	return out
}

func BenchmarkDocument(b *testing.B) {
	for _, size := range []int{550, 1100} {
		events := parseAll(b, eventtest.JSON(1, 1000, size))
		b.Run("encode", func(b *testing.B) {
			var w documentWriter
			var dst []byte
			id := bson.NewObjectID()
			now := time.Now()
			b.ReportAllocs()
			i := 0
			n, raw := 0, 0
			for b.Loop() {
				var err error
				if dst, err = w.append(dst[:0], &events[i%1000], now, id); err != nil {
					b.Fatal(err)
				}
				n += len(dst)
				raw += len(events[i%1000].JSON())
				i++
			}
			b.ReportMetric(float64(n)/float64(i), "doc-bytes")
			b.ReportMetric(float64(raw)/float64(i), "json-bytes")
		})
		b.Run("decode", func(b *testing.B) {
			var w documentWriter
			docs := make([][]byte, len(events))
			for i := range events {
				docs[i], _ = w.append(nil, &events[i], time.Now(), bson.NewObjectID())
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				d, err := parseDocument(docs[i%1000])
				if err != nil || string(d.event.JSON()) != string(events[i%1000].JSON()) {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
