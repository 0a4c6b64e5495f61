package store

import (
	"encoding/binary"
	"unsafe"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// attribute is one that events are filtered by.
type attribute int

const (
	bySource attribute = iota
	byTenant
	byType
	bySubject
	byUser
	numAttributes
)

func valueOf(e *event.Event, a attribute) string {
	switch a {
	case bySource:
		return e.Source()
	case byTenant:
		return e.Tenant()
	case byType:
		return e.Type()
	case bySubject:
		return e.Subject()
	default:
		return e.User()
	}
}

// columns are the attributes of a segment's events, column by column, so that a filter
// reads what it needs and at some nanoseconds an event. Encoded:
//
//	count, then per column its length in bytes and its bytes, numbers as uvarint:
//	times    zigzag difference from the event before
//	lengths  of the events' JSON
//	codes    of source, tenant, type, subject, user: index into the attribute's values
//	values   of each attribute, each with its length before it
type columns struct {
	count int
	parts [numColumns][]byte
}

const (
	timesColumn = iota
	lengthsColumn
	codesColumn                                     // the first of numAttributes
	valuesColumn = codesColumn + int(numAttributes) // the first of numAttributes
	numColumns   = valuesColumn + int(numAttributes)
)

// columnWriter encodes columns. It can be used again.
type columnWriter struct {
	columns
	last   int64
	values [numAttributes]map[string]uint64
}

func (w *columnWriter) reset() {
	w.count, w.last = 0, 0
	for i := range w.parts {
		w.parts[i] = w.parts[i][:0]
	}
	for i := range w.values {
		if w.values[i] == nil {
			w.values[i] = make(map[string]uint64)
		}
		clear(w.values[i])
	}
}

func (w *columnWriter) add(e *event.Event, ms int64) {
	w.count++
	w.parts[timesColumn] = binary.AppendVarint(w.parts[timesColumn], ms-w.last)
	w.last = ms
	w.parts[lengthsColumn] = binary.AppendUvarint(w.parts[lengthsColumn], uint64(len(e.JSON())))
	for a := range numAttributes {
		v := valueOf(e, a)
		code, ok := w.values[a][v]
		if !ok {
			code = uint64(len(w.values[a]))
			w.values[a][v] = code
			part := &w.parts[valuesColumn+int(a)]
			*part = binary.AppendUvarint(*part, uint64(len(v)))
			*part = append(*part, v...)
		}
		part := &w.parts[codesColumn+int(a)]
		*part = binary.AppendUvarint(*part, code)
	}
}

func (w *columnWriter) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(w.count))
	for _, p := range w.parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

func parseColumns(b []byte) (columns, error) {
	var c columns
	r := reader{b: b}
	count := r.uvarint()
	for i := range c.parts {
		c.parts[i] = r.bytes()
	}
	// Each event has at least a byte in each column.
	if r.bad || len(r.b) > 0 || count > uint64(len(c.parts[timesColumn])) {
		return columns{}, errDamaged
	}
	c.count = int(count)
	return c, nil
}

// times of the events.
func (c *columns) times() ([]int64, error) {
	out := make([]int64, c.count)
	r := reader{b: c.parts[timesColumn]}
	var last int64
	for i := range out {
		last += r.varint()
		out[i] = last
	}
	return out, r.end()
}

// span is where the i-th event's JSON lies in the segment's events.
func (c *columns) span(i int) (from, to int, err error) {
	r := reader{b: c.parts[lengthsColumn]}
	for range i + 1 {
		from, to = to, to+int(r.uvarint())
	}
	if r.bad {
		return 0, 0, errDamaged
	}
	return from, to, nil
}

// offsets are where the events' JSON begins in the segment's events, and where the last ends.
func (c *columns) offsets() ([]int, error) {
	out := make([]int, c.count+1)
	r := reader{b: c.parts[lengthsColumn]}
	for i := range c.count {
		out[i+1] = out[i] + int(r.uvarint())
	}
	return out, r.end()
}

// column is one attribute of a segment's events.
type column struct {
	values []string // distinct ones, views of the segment
	codes  []uint32 // the index in values of each event's
}

func (c *columns) column(a attribute) (column, error) {
	values, err := parseStrings(c.parts[valuesColumn+int(a)])
	if err != nil {
		return column{}, err
	}
	codes := make([]uint32, c.count)
	r := reader{b: c.parts[codesColumn+int(a)]}
	for i := range codes {
		code := r.uvarint()
		if code >= uint64(len(values)) {
			return column{}, errDamaged
		}
		codes[i] = uint32(code)
	}
	return column{values, codes}, r.end()
}

// parseStrings reads strings that each have their length before them. They are views of b.
func parseStrings(b []byte) ([]string, error) {
	var out []string
	r := reader{b: b}
	for len(r.b) > 0 && !r.bad {
		v := r.bytes()
		out = append(out, unsafe.String(unsafe.SliceData(v), len(v)))
	}
	return out, r.end()
}

// reader reads a column; bad is set, for good, where it does not parse.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) end() error {
	if r.bad || len(r.b) > 0 {
		return errDamaged
	}
	return nil
}

func (r *reader) uvarint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 { // by far the most
		v := r.b[0]
		r.b = r.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, n = true, 0
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}
