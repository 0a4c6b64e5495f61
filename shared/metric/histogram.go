package metric

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"
)

// Histogram counts durations in buckets that are 1/64 of their value wide or less, so
// a percentile read from it is at most 1 % off. It can be merged and stored, which
// percentiles themselves cannot. The zero Histogram is empty. It is not safe for
// concurrent use.
//
// It is the layout of HdrHistogram, with whole microseconds and a size that follows the
// largest value: about 8 KiB in memory for latencies up to a second, and some hundred
// bytes stored, where HdrHistogram reserves its whole range (27 KiB at two digits) and
// stores compressed base64. One is stored each second for each stage.
type Histogram struct {
	counts []uint64 // by bucket
	total  uint64
}

const (
	subBits  = 6
	exact    = 2 << subBits // values below this have a bucket of their own
	maxValue = 1<<42 - 1    // microseconds, 50 days; more counts as this
	buckets  = (42-subBits-1)<<subBits + exact
)

// Bucket is the index of the bucket that d falls in. It grows with d; a negative d
// counts as 0.
func Bucket(d time.Duration) int {
	us := uint64(min(max(d, 0)/time.Microsecond, maxValue))
	if us < exact {
		return int(us)
	}
	shift := bits.Len64(us) - subBits - 1
	return shift<<subBits + int(us>>shift)
}

// middle of a bucket: at most 1/128 away from every value in it.
func middle(bucket int) time.Duration {
	if bucket < exact {
		return time.Duration(bucket) * time.Microsecond
	}
	shift := bucket>>subBits - 1
	low := time.Duration(bucket-shift<<subBits) << shift
	return (low + 1<<shift/2) * time.Microsecond
}

// Add counts d, to the microsecond below.
func (h *Histogram) Add(d time.Duration) { h.add(Bucket(d), 1) }

// Merge adds what o counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		if n > 0 {
			h.add(i, n)
		}
	}
}

func (h *Histogram) add(bucket int, n uint64) {
	if bucket >= len(h.counts) {
		h.counts = append(h.counts, make([]uint64, bucket+1-len(h.counts))...)
	}
	h.counts[bucket] += n
	h.total += n
}

// Count is how many durations were added.
func (h *Histogram) Count() uint64 { return h.total }

// Quantile is the smallest duration that at least the part q of all is not above
// (nearest rank), for q from 0 to 1; 0 when the histogram is empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := uint64(math.Ceil(min(max(q, 0), 1) * float64(h.total)))
	rank = min(max(rank, 1), h.total)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return middle(i)
		}
	}
	return 0 // not reached: seen ends at total
}

// encoding is the first byte of a stored histogram.
const encoding = 1

// AppendBinary appends the histogram as Decode reads it: the distance to the next bucket
// that is not empty and its count, as varints.
func (h *Histogram) AppendBinary(b []byte) []byte {
	b = append(b, encoding)
	last := 0
	for i, n := range h.counts {
		if n > 0 {
			b = binary.AppendUvarint(b, uint64(i-last))
			b = binary.AppendUvarint(b, n)
			last = i
		}
	}
	return b
}

var errCut = errors.New("histogram: cut off")

// Decode reads what AppendBinary wrote.
func Decode(b []byte) (*Histogram, error) {
	if len(b) == 0 || b[0] != encoding {
		return nil, fmt.Errorf("histogram: %d bytes of no known encoding", len(b))
	}
	h := new(Histogram)
	bucket := uint64(0)
	for b = b[1:]; len(b) > 0; {
		step, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errCut
		}
		count, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return nil, errCut
		}
		b = b[n+m:]
		if step >= buckets-bucket || count > math.MaxUint64-h.total {
			return nil, fmt.Errorf("histogram: bucket %d+%d with %d values is out of range", bucket, step, count)
		}
		bucket += step
		h.add(int(bucket), count)
	}
	return h, nil
}
