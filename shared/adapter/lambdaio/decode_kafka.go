package lambdaio

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// kafkaDecoder turns the member records of a Kafka event into deliveries. Everything
// that an event needs comes from slabs, so an event costs no allocation of its own.
type kafkaDecoder struct {
	s *scanner

	deliveries []pipeline.Delivery
	records    []pipeline.KafkaRecord
	headers    []event.Header
	bytes      []byte                 // keys, values and header values; never reallocated, see room
	ids        []byte                 // delivery ids, one after the other
	seen       map[string]*seenHeader // by name: there are few, on every record

	partition identifier // of the record before
}

// identifier is the beginning of the ids of a partition's deliveries.
type identifier struct {
	topic  string
	number int32
	prefix []byte // "topic-partition@"
}

// kafkaRecords reads {"topic-partition": [record …], …}.
func kafkaRecords(s *scanner) []pipeline.Delivery {
	d := kafkaDecoder{s: s, partition: identifier{number: -1}}
	for _, ok := s.firstKey(); ok; _, ok = s.nextKey() {
		for ok := s.firstItem(); ok; ok = s.nextItem() {
			start := s.i
			if d.record(); len(d.deliveries) == 1 {
				d.grow(s.i - start)
			}
		}
	}
	return d.deliveries
}

// grow makes room for the other records, of which there is one so far.
func (d *kafkaDecoder) grow(recordBytes int) {
	n := d.s.more(recordBytes)
	d.deliveries = slices.Grow(d.deliveries, n)
	d.records = slices.Grow(d.records, n)
	d.headers = slices.Grow(d.headers, n*len(d.headers))
	d.ids = slices.Grow(d.ids, n*(len(d.ids)+2))
}

// record reads one record. key, value and headers may be null or absent.
func (d *kafkaDecoder) record() {
	s := d.s
	start := s.i
	r := pipeline.KafkaRecord{Partition: -1, Offset: -1}
	var topic, value []byte
	timestamp := int64(-1)
	for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
		switch string(k) {
		case "topic":
			topic = s.text()
		case "partition":
			r.Partition = int32(s.integer(0, math.MaxInt32))
		case "offset":
			r.Offset = s.integer(0, math.MaxInt64)
		case "timestamp":
			timestamp = s.integer(math.MinInt64, math.MaxInt64)
		case "key":
			r.Key = d.base64()
		case "value":
			value = d.base64()
		case "headers":
			r.Headers = d.headerList()
		default:
			s.skip()
		}
	}
	if s.err == nil && (len(topic) == 0 || r.Partition < 0 || r.Offset < 0) {
		s.i = start
		s.fail("a record with topic, partition and offset")
	}
	if s.err != nil {
		return
	}
	d.enter(topic, r.Partition)
	r.Topic = d.partition.topic
	d.records = append(d.records, r)
	d.deliveries = append(d.deliveries, pipeline.Delivery{
		ID: d.id(r.Offset), Body: value, Kafka: &d.records[len(d.records)-1], Arrived: epochMillis(timestamp),
	})
}

// enter changes to another partition, where it is another.
func (d *kafkaDecoder) enter(topic []byte, number int32) {
	p := &d.partition
	if p.number == number && p.topic == string(topic) {
		return
	}
	if p.topic != string(topic) {
		p.topic = string(topic)
	}
	p.number = number
	p.prefix = append(append(p.prefix[:0], topic...), '-')
	p.prefix = append(strconv.AppendInt(p.prefix, int64(number), 10), '@')
}

// id is "topic-partition@offset". It is a view of ids, which is only ever appended to.
func (d *kafkaDecoder) id(offset int64) string {
	start := len(d.ids)
	d.ids = strconv.AppendInt(append(d.ids, d.partition.prefix...), offset, 10)
	return view(d.ids[start:])
}

// base64 reads a string of base64, or null as nil.
func (d *kafkaDecoder) base64() []byte {
	s := d.s
	if s.null() {
		return nil
	}
	if s.token() != '"' {
		s.fail("a string of base64")
		return nil
	}
	start := s.i + 1
	n := bytes.IndexByte(s.b[start:], '"')
	if n < 0 {
		s.fail("the end of a string")
		return nil
	}
	out := d.room(n/4*3 + 3)
	if out, ok := appendBase64(out, s.b[start:start+n]); ok {
		s.i = start + n + 1
		return d.take(out)
	}
	// No base64 as it stands, but it may have escapes: some encoders write "/" as "\/".
	out, ok := appendBase64(out, s.text())
	if !ok {
		s.i = start - 1
		s.fail("a string of base64")
		return nil
	}
	return d.take(out)
}

// seenHeader is the last header of a name. Most have the same value on every record (a
// content type, the type and source of a CloudEvent), which is then not decoded again.
type seenHeader struct {
	name  string
	text  []byte // the value as JSON
	value []byte
}

// headerList reads [{"name": [byte, …]}, …], with signed or unsigned bytes. A name that
// comes twice stays twice, in order.
func (d *kafkaDecoder) headerList() []event.Header {
	s := d.s
	start := len(d.headers)
	for ok := s.firstItem(); ok; ok = s.nextItem() {
		for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
			h := d.header(k)
			s.token()
			if at := s.i; len(h.text) > 0 && bytes.HasPrefix(s.b[at:], h.text) {
				s.i += len(h.text)
			} else {
				h.value = d.headerValue()
				h.text = s.b[at:s.i]
			}
			d.headers = append(d.headers, event.Header{Name: h.name, Value: h.value})
		}
	}
	if len(d.headers) == start {
		return nil
	}
	return d.headers[start:len(d.headers):len(d.headers)]
}

func (d *kafkaDecoder) header(name []byte) *seenHeader {
	h, ok := d.seen[string(name)]
	if !ok {
		if d.seen == nil {
			d.seen = make(map[string]*seenHeader)
		}
		h = &seenHeader{name: string(name)}
		d.seen[h.name] = h
	}
	return h
}

// headerValue reads an array of bytes, or null as nil.
func (d *kafkaDecoder) headerValue() []byte {
	s := d.s
	if s.null() {
		return nil
	}
	out := d.room((len(s.b) - s.i) / 2)
	for ok := s.firstItem(); ok; ok = s.nextItem() {
		out = s.byteItems(out)
		c := s.integer(-128, 255)
		if s.err != nil { // nothing there: room has no place for it
			return nil
		}
		out = append(out, byte(c))
	}
	return d.take(out)
}

// byteItems appends the items of an array of bytes that have a comma right after them,
// and leaves the rest to the general reading.
func (s *scanner) byteItems(dst []byte) []byte {
	for {
		start := s.i
		n, ok := s.shortInteger()
		if !ok || n < -128 || n > 255 || s.i == len(s.b) || s.b[s.i] != ',' {
			s.i = start
			return dst
		}
		dst = append(dst, byte(n))
		s.i++
	}
}

// room is an empty slice to append at most n bytes to. All come from one buffer: what is
// decoded is at most three quarters as long as its source (base64 has four characters for
// three bytes, an array of numbers at least two a byte), so the first call can tell how
// much the rest of the payload needs.
func (d *kafkaDecoder) room(n int) []byte {
	if cap(d.bytes)-len(d.bytes) < n {
		d.bytes = make([]byte, 0, max(n, (len(d.s.b)-d.s.i)/4*3+3))
	}
	return d.bytes[len(d.bytes):]
}

// take keeps what was appended to room, with no capacity beyond it.
func (d *kafkaDecoder) take(out []byte) []byte {
	d.bytes = d.bytes[:len(d.bytes)+len(out)]
	return out[:len(out):len(out)]
}

// epochMillis is the time of a Kafka or SQS timestamp; zero when there is none.
func epochMillis(ms int64) time.Time {
	if ms < 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
