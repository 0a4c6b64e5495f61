package pack_test

import (
	"fmt"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
)

const limit = 16 << 20

// sample is a batch as one invocation has it: 1,000 events.
func sample(tb testing.TB, size int) (events []event.Event, raw int) {
	tb.Helper()
	for _, b := range eventtest.JSON(1, 1000, size) {
		e, err := event.Parse(b)
		if err != nil {
			tb.Fatal(err)
		}
		e = e.Stamp(1764000000000)
		events = append(events, e)
		raw += len(e.JSON())
	}
	return events, raw
}

func eachCodec(b *testing.B, f func(b *testing.B, o pack.Options, events []event.Event)) {
	for _, size := range []int{500, 1050} {
		events, raw := sample(b, size)
		for _, codec := range []string{pack.Plain, pack.S2, pack.Zstd} {
			name := codec
			if codec == pack.Plain {
				name = "plain"
			}
			b.Run(fmt.Sprintf("%s/%dB", name, raw/len(events)), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(raw))
				f(b, pack.Options{Encoding: codec}, events)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
			})
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	eachCodec(b, func(b *testing.B, o pack.Options, events []event.Event) {
		var packs []pack.Pack
		for b.Loop() {
			packs = pack.Encode(events, o)
		}
		raw, body := 0, 0
		for i, p := range packs {
			if i < len(packs)-1 { // the last one is what is left
				body += len(p.Body)
				for k := p.First; k < p.End; k++ {
					raw += len(events[k].JSON())
				}
			}
		}
		b.ReportMetric(float64(raw)/float64(body), "ratio")
		b.ReportMetric(float64(body)/float64((len(packs)-1)*pack.TargetBytes), "fill")
		b.ReportMetric(float64(len(events))/float64(len(packs)), "events/pack")
	})
}

func BenchmarkDecode(b *testing.B) {
	eachCodec(b, func(b *testing.B, o pack.Options, events []event.Event) {
		packs := pack.Encode(events, o)
		for b.Loop() {
			n := 0
			for _, p := range packs {
				items, err := pack.Decode(p.Body, p.ContentType, p.Encoding, limit)
				if err != nil {
					b.Fatal(err)
				}
				n += len(items)
			}
			if n != len(events) {
				b.Fatal(n)
			}
		}
	})
}
