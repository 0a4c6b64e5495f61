package store

import (
	"encoding/binary"
	"math"
	"sync"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// segmentBytes is how much JSON one segment has, or one event more: reading one event
// decompresses its whole segment.
const segmentBytes = 1 << 20

// segment is a run of events ready to be written.
type segment struct {
	count            int
	minTime, maxTime int64
	attributes       []byte // frames
	ids              []byte
	events           []byte
	terms            []uint32
}

// split says how many of the events make the next segment.
func split(events []event.Event) int {
	size := 0
	for i := range events {
		n := len(events[i].JSON())
		if i > 0 && size+n > segmentBytes {
			return i
		}
		size += n
	}
	return len(events)
}

// encoder has the memory to encode segments, used again from one to the next.
type encoder struct {
	columns columnWriter
	ids     []byte
	events  []byte
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// encode makes one segment of the events; times are theirs.
func (w *encoder) encode(events []event.Event, times []int64) segment {
	w.columns.reset()
	w.ids, w.events = w.ids[:0], w.events[:0]
	seg := segment{count: len(events), minTime: math.MaxInt64, maxTime: math.MinInt64}
	for i := range events {
		e := &events[i]
		w.columns.add(e, times[i])
		w.ids = binary.AppendUvarint(w.ids, uint64(len(e.ID())))
		w.ids = append(w.ids, e.ID()...)
		w.events = append(w.events, e.JSON()...)
		seg.minTime, seg.maxTime = min(seg.minTime, times[i]), max(seg.maxTime, times[i])
	}
	seg.attributes = seal(w.columns.encode())
	seg.ids = seal(w.ids)
	seg.events = seal(w.events)
	seg.terms = w.columns.terms()
	return seg
}
