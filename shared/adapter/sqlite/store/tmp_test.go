//go:build unix

package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
)

func BenchmarkTmp1M(b *testing.B) { benchmarkWrite(b, 1_000_000) }

func BenchmarkTmpAgg(b *testing.B) {
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "store.db"), Options{Aggregate: func(string) bool { return true }})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	g := newGenerator()
	fill(b, s, g, 100_000)
	var cpu time.Duration
	b.ResetTimer()
	for done := 0; done < b.N; done += benchBatch {
		b.StopTimer()
		batch := g.batch(b, benchBatch)
		before := cpuTime(b)
		b.StartTimer()
		_, err := s.Write(b.Context(), batch)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		cpu += cpuTime(b) - before
		b.StartTimer()
	}
	b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
}

func BenchmarkTmpRandom(b *testing.B) {
	s := benchStore(b)
	g := newGenerator()
	mk := func() []event.Event {
		out := make([]event.Event, benchBatch)
		for i := range out {
			j := g.next()
			copy(j[len(`{"specversion":"1.0","id":"`):], fmt.Sprintf("%08x", g.r.Uint32()))
			e, err := event.Parse(j)
			if err != nil {
				b.Fatal(err)
			}
			out[i] = e
		}
		return out
	}
	for range 500 {
		if _, err := s.Write(b.Context(), mk()); err != nil {
			b.Fatal(err)
		}
	}
	var cpu time.Duration
	b.ResetTimer()
	for done := 0; done < b.N; done += benchBatch {
		b.StopTimer()
		batch := mk()
		before := cpuTime(b)
		b.StartTimer()
		_, err := s.Write(b.Context(), batch)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		cpu += cpuTime(b) - before
		b.StartTimer()
	}
	b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
}
