package metrics

import (
	"slices"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// An invocation of 3,000 events that all end in it, and one of ten that end elsewhere.
func BenchmarkRecord(b *testing.B) {
	for _, r := range []*pipeline.Report{
		{Stage: spec.Persist, Events: 3000, Stored: 3000, Latency: slices.Repeat([]time.Duration{120 * time.Millisecond}, 3000)},
		{Stage: spec.Process, Events: 10, Packs: 1, BytesRaw: 10, BytesOut: 5},
	} {
		b.Run(r.Stage, func(b *testing.B) {
			f := newFixture(b)
			b.ReportAllocs()
			for b.Loop() {
				f.Record(r)
			}
		})
	}
}

// One second of a busy process: three stages with all their metrics.
func BenchmarkFlush(b *testing.B) {
	f := newFixture(b)
	for i := 0; b.Loop(); i++ {
		f.set(epoch.Add(time.Duration(i) * time.Second))
		for _, stage := range spec.Stages {
			f.Record(&pipeline.Report{Stage: stage.Name, Events: 100, Latency: []time.Duration{time.Millisecond, time.Second}})
		}
		f.flush(b)
	}
}

// A day of p99 by the minute.
func BenchmarkQuery(b *testing.B) {
	f := newFixture(b)
	ds := make([]time.Duration, 500)
	for i := range ds {
		ds[i] = time.Duration(i*i) * time.Microsecond
	}
	for i := range 24 * 60 {
		f.set(epoch.Add(time.Duration(i) * time.Minute))
		f.Record(&pipeline.Report{Stage: spec.Persist, Events: 500, Latency: ds})
	}
	f.flush(b)
	r := f.reader(b)
	for b.Loop() {
		if ps := query(b, r, spec.EventLatency, spec.Persist, epoch, epoch.Add(24*time.Hour), time.Minute); len(ps) != 24*60 {
			b.Fatalf("%d points", len(ps))
		}
	}
}
