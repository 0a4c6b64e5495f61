package event_test

import (
	"fmt"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
)

var benchSizes = []int{550, 1100}

// perEvent runs f over varied events.
func perEvent(b *testing.B, f func(*testing.B, []byte)) {
	for _, size := range benchSizes {
		events := eventtest.JSON(1, 1000, size)
		n := 0
		for _, e := range events {
			n += len(e)
		}
		b.Run(fmt.Sprintf("%dB", n/len(events)), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(n / len(events)))
			i := 0
			for b.Loop() {
				f(b, events[i%len(events)])
				i++
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	perEvent(b, func(b *testing.B, raw []byte) {
		if _, err := event.Parse(raw); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkStamp(b *testing.B) {
	parsed := map[*byte]event.Event{}
	perEvent(b, func(b *testing.B, raw []byte) {
		e, ok := parsed[&raw[0]]
		if !ok {
			e, _ = event.Parse(raw)
			parsed[&raw[0]] = e
		}
		e.Stamp(1764000000000)
	})
}

func BenchmarkFromKafkaBinary(b *testing.B) {
	type record struct {
		value   []byte
		headers []event.Header
	}
	records := map[*byte]record{}
	perEvent(b, func(b *testing.B, raw []byte) {
		r, ok := records[&raw[0]]
		if !ok {
			e, _ := event.Parse(raw)
			_, r.value, r.headers = e.ToKafkaBinary()
			records[&raw[0]] = r
		}
		if _, err := event.FromKafka(r.value, r.headers); err != nil {
			b.Fatal(err)
		}
	})
}
