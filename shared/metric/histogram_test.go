package metric

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const bound = 0.01 // of every percentile, relative

// durations of every size, a few of them odd ones.
var durations = rapid.Custom(func(t *rapid.T) time.Duration {
	return time.Duration(math.Exp2(rapid.Float64Range(0, 51).Draw(t, "log2")))
})

func sorted(t *rapid.T, label string) []time.Duration {
	ds := rapid.SliceOfN(durations, 1, 300).Draw(t, label)
	slices.Sort(ds)
	return ds
}

func fill(ds []time.Duration) *Histogram {
	h := new(Histogram)
	for _, d := range ds {
		h.Add(d)
	}
	return h
}

// near: within the bound, or within the microsecond that is the resolution.
func near(got, want time.Duration) bool {
	return math.Abs(float64(got-want)) <= max(bound*float64(want), float64(time.Microsecond))
}

func TestQuantileAgainstSortedSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ds := sorted(t, "durations")
		h := fill(ds)
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1, rapid.Float64Range(0, 1).Draw(t, "q")} {
			rank := max(int(math.Ceil(q*float64(len(ds)))), 1)
			if got, want := h.Quantile(q), ds[rank-1]; !near(got, want) {
				t.Fatalf("q %v of %d: %v, want %v", q, len(ds), got, want)
			}
		}
	})
}

func TestMergeAndEncodeKeepEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := sorted(t, "a"), sorted(t, "b")
		all := fill(append(slices.Clone(a), b...))
		merged, err := Decode(fill(a).AppendBinary(nil))
		if err != nil {
			t.Fatal(err)
		}
		merged.Merge(fill(b))
		if merged.Count() != uint64(len(a)+len(b)) || !slices.Equal(merged.counts, all.counts) {
			t.Fatalf("%v and %v: %d values", a, b, merged.Count())
		}
	})
}

func TestBucketsGrowAndTheirMiddleIsNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := durations.Draw(t, "a"), durations.Draw(t, "b")
		if a > b {
			a, b = b, a
		}
		if Bucket(a) > Bucket(b) {
			t.Fatalf("%v is in bucket %d, %v in %d", a, Bucket(a), b, Bucket(b))
		}
		if Bucket(middle(Bucket(a))) != Bucket(a) || !near(middle(Bucket(a)), a) {
			t.Fatalf("%v: middle %v", a, middle(Bucket(a)))
		}
	})
}

func TestHistogramEdges(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Count() != 0 {
		t.Error("an empty histogram has values")
	}
	h.Add(-time.Second)
	h.Add(math.MaxInt64)
	if h.Count() != 2 || h.Quantile(0) != 0 {
		t.Errorf("count %d, least %v", h.Count(), h.Quantile(0))
	}
	if Bucket(math.MaxInt64) != buckets-1 {
		t.Errorf("the last bucket is %d, not %d", Bucket(math.MaxInt64), buckets-1)
	}
	if got := h.Quantile(1); !near(got, maxValue*time.Microsecond) {
		t.Errorf("the largest is %v", got)
	}
}

func TestDecodeRefusesDamage(t *testing.T) {
	for _, b := range [][]byte{
		nil, {0}, {2, 1, 1}, {1, 5}, {1, 0x80}, {1, 5, 0x80},
		append([]byte{1}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1),             // bucket 2^64-1
		append([]byte{1, 1, 1, 1}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),       // sum of counts overflows
		append(fill([]time.Duration{1 << 50}).AppendBinary(nil), 0xff, 0xff, 0xff, 0xff, 0x0f, 1), // beyond the last bucket
	} {
		if h, err := Decode(b); err == nil {
			t.Errorf("% x was read as %d values", b, h.Count())
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(fill([]time.Duration{0, time.Millisecond, time.Hour}).AppendBinary(nil))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Decode(b)
		if err != nil {
			return
		}
		if len(h.counts) > buckets {
			t.Fatalf("%d buckets", len(h.counts))
		}
		h.Quantile(0.99)
	})
}

func BenchmarkAdd(b *testing.B) {
	h := fill([]time.Duration{time.Minute})
	for i := 0; b.Loop(); i++ {
		h.Add(time.Duration(i) * time.Microsecond)
	}
}
