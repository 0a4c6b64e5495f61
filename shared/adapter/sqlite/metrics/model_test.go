package metrics

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// model is what a reader should see: every value with its second.
type model []struct {
	at    time.Time
	stage string
	n     int
	ds    []time.Duration
}

func draw(t *rapid.T) model {
	n := rapid.IntRange(1, 40).Draw(t, "reports")
	m := make(model, n)
	for i := range m {
		m[i].at = epoch.Add(time.Duration(rapid.IntRange(0, 200_000).Draw(t, "ms")) * time.Millisecond)
		m[i].stage = rapid.SampledFrom([]string{spec.Process, spec.Persist}).Draw(t, "stage")
		m[i].n = rapid.IntRange(0, 100).Draw(t, "n")
		for range rapid.IntRange(0, 50).Draw(t, "values") {
			m[i].ds = append(m[i].ds, time.Duration(math.Exp2(rapid.Float64Range(12, 42).Draw(t, "log2 of ns"))))
		}
	}
	return m
}

// want compares a point with the values of the model that belong to it.
func (m model) want(t *rapid.T, what string, p Point, latency bool, in func(at time.Time, stage string) bool) {
	var values []float64
	for _, x := range m {
		switch {
		case !in(x.at, x.stage):
		case latency:
			for _, d := range x.ds {
				values = append(values, float64(d)/1e6)
			}
		default:
			values = append(values, float64(x.n))
		}
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	if p.Count != int64(len(values)) || math.Abs(p.Sum-sum) > 1e-9*sum {
		t.Fatalf("%s: %d values with sum %v, want %d with %v", what, p.Count, p.Sum, len(values), sum)
	}
	if len(values) == 0 {
		return
	}
	slices.Sort(values)
	if p.Min != values[0] || p.Max != values[len(values)-1] {
		t.Fatalf("%s: %v to %v, want %v to %v", what, p.Min, p.Max, values[0], values[len(values)-1])
	}
	for _, q := range []float64{0, 50, 90, 99, 99.9, 100} {
		rank := max(int(math.Ceil(q/100*float64(len(values)))), 1)
		got, ok := p.Percentile(q)
		if ok != latency {
			t.Fatalf("%s: p%v is there: %v", what, q, ok)
		}
		if want := values[rank-1]; latency && math.Abs(got-want) > max(0.01*want, 0.001) {
			t.Fatalf("%s: p%v of %d values is %v, want %v", what, q, len(values), got, want)
		}
	}
}

// Points and totals equal those computed from the single values, percentiles within
// 1 %; whatever was flushed when, and after compaction as well for steps of a minute.
func TestPointsEqualTheValues(t *testing.T) {
	f := newFixture(t)
	r := f.reader(t)
	rapid.Check(t, func(rt *rapid.T) {
		f.empty(t)
		m := draw(rt)
		for _, x := range m {
			f.set(x.at)
			f.Record(&pipeline.Report{Stage: x.stage, Events: x.n, Latency: x.ds})
			if rapid.Bool().Draw(rt, "flush") {
				f.flush(t)
			}
		}
		f.flush(t)
		m.compare(t, rt, r, time.Duration(rapid.SampledFrom([]int{1, 7, 60, 90, 3600}).Draw(rt, "period"))*time.Second)
		if err := f.compact(context.Background(), epoch.Add(keptAsSecond+time.Hour)); err != nil {
			rt.Fatal(err)
		}
		if n := f.rows(t, second); n != 0 {
			rt.Fatalf("%d points of seconds left", n)
		}
		m.compare(t, rt, r, time.Duration(rapid.SampledFrom([]int{60, 120, 3600}).Draw(rt, "period"))*time.Second)
	})
}

func (m model) compare(t *testing.T, rt *rapid.T, r *Reader, period time.Duration) {
	for _, stage := range []string{spec.Process, spec.Persist, ""} {
		of := func(s string) bool { return stage == "" || s == stage }
		for _, metric := range []string{spec.BatchSize, spec.EventLatency} {
			latency := metric == spec.EventLatency
			all := func(_ time.Time, s string) bool { return of(s) }
			m.want(rt, "total", total(t, r, metric, stage), latency, all)
			points := query(t, r, metric, stage, epoch.Add(-time.Hour), epoch.Add(time.Hour), period)
			var n int64
			for i, p := range points {
				if i > 0 && !p.Start.After(points[i-1].Start) || p.Start.Unix()%int64(period/time.Second) != 0 {
					rt.Fatalf("point %d begins at %v", i, p.Start)
				}
				m.want(rt, metric+" "+stage+" in "+period.String()+" from "+p.Start.String(), p, latency, func(at time.Time, s string) bool {
					return of(s) && !at.Before(p.Start) && at.Before(p.Start.Add(period))
				})
				n += p.Count
			}
			if sum := total(t, r, metric, stage); n != sum.Count {
				rt.Fatalf("points have %d values, the total %d", n, sum.Count)
			}
		}
	}
}
