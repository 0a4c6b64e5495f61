package emf

import (
	"slices"
	"strconv"
	"time"

	"github.com/millrace-pipeline/millrace/shared/metric"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// latencies of the report as latency takes them: as they are for an array of values,
// sorted for a histogram.
func (w *Writer) latencies(r *pipeline.Report) []time.Duration {
	ds := metric.Latencies(r)
	if !w.o.Counts {
		return ds
	}
	w.sorted = append(w.sorted[:0], ds...) // the report is not ours to change
	slices.Sort(w.sorted)
	return w.sorted
}

// latency writes as many durations as a line may have and returns the rest.
func (w *Writer) latency(ds []time.Duration) (rest []time.Duration) {
	if len(ds) == 0 {
		return nil
	}
	w.line.key(spec.EventLatency)
	if w.o.Counts {
		return w.counts(ds)
	}
	return w.values(ds)
}

// values writes an array of at most maxValues numbers, to a tenth of a millisecond: an
// event's receive time has whole ones.
func (w *Writer) values(ds []time.Duration) (rest []time.Duration) {
	n := min(len(ds), maxValues)
	l := &w.line
	l.raw("[")
	for i, d := range ds[:n] {
		if i > 0 {
			l.raw(",")
		}
		l.tenths(d)
	}
	l.raw("]")
	return ds[n:]
}

// counts writes a histogram of the sorted durations with at most maxValues buckets. A
// bucket's value is the mean of the durations in it, so that their number and, but for
// rounding, their sum are kept; a bucket is less than 1.6 % wide, so each is kept to that.
func (w *Writer) counts(ds []time.Duration) (rest []time.Duration) {
	var counts [maxValues]int
	l := &w.line
	l.raw(`{"Values":[`)
	n, i := 0, 0
	for ; i < len(ds) && n < maxValues; n++ {
		bucket, sum := metric.Bucket(ds[i]), 0.0
		for ; i < len(ds) && metric.Bucket(ds[i]) == bucket; i++ {
			sum += milliseconds(ds[i])
			counts[n]++
		}
		if n > 0 {
			l.raw(",")
		}
		l.b = strconv.AppendFloat(l.b, sum/float64(counts[n]), 'g', 7, 64)
	}
	l.raw(`],"Counts":[`)
	for k, c := range counts[:n] {
		if k > 0 {
			l.raw(",")
		}
		l.int(int64(c))
	}
	l.raw("]}")
	return ds[i:]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
