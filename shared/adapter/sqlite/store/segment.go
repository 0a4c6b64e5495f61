package store

import (
	"encoding/binary"
	"slices"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// layout is how much goes into one unit of storage. It can differ from one process to
// the next.
type layout struct {
	// segmentBytes is how much JSON one segment has, or one event more: reading one event
	// decompresses its whole segment.
	segmentBytes int
	// Open segments are sealed when there are sealSegments of them, or they hold
	// sealEvents events: few blocks to search, and few open segments.
	sealSegments, sealEvents int64
	// chunkEntries is how many entries one row of a block has, or a few more: one page.
	chunkEntries int
}

var defaultLayout = layout{segmentBytes: 1 << 20, sealSegments: 64, sealEvents: 1 << 15, chunkEntries: 480}

// segment is a run of events ready to be written. The slices are frames, and the
// encoder's.
type segment struct {
	count            int
	minTime, maxTime int64
	attributes       []byte
	ids              []byte
	events           []byte
	terms            []byte
}

// split says how many of the events make the next segment.
func (l *layout) split(events []event.Event) int {
	size := 0
	for i := range events {
		n := len(events[i].JSON())
		if i > 0 && size+n > l.segmentBytes {
			return i
		}
		size += n
	}
	return len(events)
}

// encoder has the memory to encode the segments of one Write, used again by a later one.
type encoder struct {
	columns columnWriter
	terms   []uint32
	raw     []byte
	out     frames
}

// encode makes one segment of the events; times are theirs.
func (w *encoder) encode(events []event.Event, times []int64) segment {
	seg := segment{count: len(events), minTime: slices.Min(times), maxTime: slices.Max(times)}
	w.columns.reset()
	for i := range events {
		w.columns.add(&events[i], times[i])
	}
	w.raw = w.columns.appendTo(w.raw[:0])
	seg.attributes = w.out.seal(w.raw)

	w.raw = w.raw[:0]
	for i := range events {
		id := events[i].ID()
		w.raw = binary.AppendUvarint(w.raw, uint64(len(id)))
		w.raw = append(w.raw, id...)
	}
	seg.ids = w.out.seal(w.raw)

	size := 0
	for i := range events {
		size += len(events[i].JSON())
	}
	w.raw = slices.Grow(w.raw[:0], size)
	for i := range events {
		w.raw = append(w.raw, events[i].JSON()...)
	}
	seg.events = w.out.seal(w.raw)

	w.terms = w.columns.appendTerms(w.terms[:0])
	w.raw = w.raw[:0]
	for _, h := range w.terms {
		w.raw = binary.LittleEndian.AppendUint32(w.raw, h)
	}
	seg.terms = w.out.seal(w.raw)
	return seg
}

// encoderPool keeps idle encoders. A sync.Pool would lose them at every other garbage
// collection, with some megabytes each.
type encoderPool chan *encoder

const (
	idleEncoders = 4
	// encoderBytes is the most memory an idle encoder keeps.
	encoderBytes = 8 << 20
)

func (p encoderPool) get() *encoder {
	select {
	case w := <-p:
		return w
	default:
		return new(encoder)
	}
}

// put gives an encoder back; its segments are no longer valid.
func (p encoderPool) put(w *encoder) {
	if cap(w.raw)+w.out.size() > encoderBytes {
		return
	}
	w.columns.reset() // it has views of the events
	w.out.reset()
	select {
	case p <- w:
	default:
	}
}
