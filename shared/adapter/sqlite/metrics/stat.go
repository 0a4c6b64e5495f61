package metrics

import (
	"time"

	"github.com/millrace-pipeline/millrace/shared/metric"
)

// stat is what is kept of the values of one metric. The zero stat has none.
type stat struct {
	count         int64
	sum, min, max float64
	hist          *metric.Histogram // nil where the metric is no distribution
}

func (s *stat) add(v float64) {
	s.merge(&stat{count: 1, sum: v, min: v, max: v})
}

// addDurations adds each in milliseconds.
func (s *stat) addDurations(ds []time.Duration) {
	if len(ds) == 0 {
		return
	}
	if s.hist == nil {
		s.hist = new(metric.Histogram)
	}
	least, greatest, sum := ds[0], ds[0], 0.0
	for _, d := range ds {
		least, greatest, sum = min(least, d), max(greatest, d), sum+float64(d)
		s.hist.Add(d)
	}
	const ms = float64(time.Millisecond)
	s.merge(&stat{count: int64(len(ds)), sum: sum / ms, min: float64(least) / ms, max: float64(greatest) / ms})
}

func (s *stat) merge(o *stat) {
	if o.count == 0 {
		return
	}
	if s.count == 0 {
		s.min, s.max = o.min, o.max
	}
	s.count += o.count
	s.sum += o.sum
	s.min, s.max = min(s.min, o.min), max(s.max, o.max)
	if o.hist != nil {
		if s.hist == nil {
			s.hist = new(metric.Histogram)
		}
		s.hist.Merge(o.hist)
	}
}
