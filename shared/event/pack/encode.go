package pack

import (
	"bytes"
	"sync"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// Encode packs events in order. The same events and options give the same bytes.
func Encode(events []event.Event, o Options) []Pack {
	if o.Target == 0 {
		o.Target = TargetBytes
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	p := packer{events: events, encoding: o.Encoding, target: o.Target, tune: tuneOf(o.Encoding), scratch: s}
	p.ratio = p.tune.ratio
	var packs []Pack
	for p.first < len(events) {
		packs = append(packs, p.next())
	}
	return packs
}

// packer makes packs greedily. How much JSON fits is not known before it is compressed:
// the packer goes by the ratio that it saw last, a little below the target, and tries
// again only where a body came out too large or too small.
type packer struct {
	events   []event.Event
	encoding string
	target   int
	tune     tune
	first    int     // the first event not yet packed
	ratio    float64 // body bytes for a byte of JSON, as last seen
	*scratch
}

// scratch is memory that calls of Encode hand on.
type scratch struct{ raw, packed []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

const (
	aim      = 0.97 // of the target: the next events may compress a little worse
	halfFull = 0.60 // of the target: below it trying again costs less than what it gains
)

// tune says how to go about an encoding. BenchmarkEncode prints what comes of it: fill.
type tune struct {
	ratio  float64 // to begin with, on the safe side of usual events
	enough float64 // of the target: a body of that part is not tried again with more
}

func tuneOf(encoding string) tune {
	switch encoding {
	case S2: // stays on one machine, where a body costs what it has: CPU counts
		return tune{0.46, 0.75}
	case Zstd: // for AWS, which bills 64 KiB whatever a body has: fill counts
		return tune{0.28, 0.92}
	}
	return tune{1, 0}
}

// next makes the pack that begins with the first event not yet packed. The events tried
// only ever become more until a body is too large, and from then on fewer: it ends.
func (p *packer) next() Pack {
	end, shrunk := p.reach(p.first+1), false
	for tries := 1; ; tries++ {
		b := p.try(end)
		p.ratio = float64(b.size) / float64(len(b.plain))
		if b.size > p.target && end > p.first+1 {
			end, shrunk = min(p.reach(p.first+1), end-1), true
			continue
		}
		if !shrunk && (b.size < p.part(halfFull) || tries == 1 && b.size < p.part(p.tune.enough)) {
			if further := p.reach(end); further > end {
				end = further
				continue
			}
		}
		return p.finish(b, end)
	}
}

func (p *packer) part(of float64) int { return int(of * float64(p.target)) }

// reach returns the end, least or more, of the events that reach the aim by the ratio
// last seen.
func (p *packer) reach(least int) int {
	budget := min(int(float64(p.part(aim))/p.ratio), MaxRawBytes)
	end, size := p.first, len("[")
	for end < len(p.events) {
		size += len(p.events[end].JSON()) + len(",")
		if size > budget && end >= least {
			break
		}
		end++
	}
	return max(end, least)
}

// body is what a message body would be.
type body struct {
	plain    []byte // the batch, or the one event
	size     int    // of the body
	encoding string
}

// try makes the body of the events up to end: compressed, or plain where that is not
// larger.
func (p *packer) try(end int) body {
	p.join(end)
	plain := p.raw
	if end == p.first+1 {
		plain = p.events[p.first].JSON()
	}
	b := body{plain, base64Len(len(plain)), Base64}
	if p.encoding == S2 || p.encoding == Zstd {
		p.packed = compress(p.encoding, p.packed, p.raw)
		if n := base64Len(len(p.packed)); n < b.size {
			b.size, b.encoding = n, p.encoding
		}
	}
	if len(plain) <= b.size && isText(plain) {
		b.size, b.encoding = len(plain), Plain
	}
	return b
}

// join writes the events up to end as a JSON batch.
func (p *packer) join(end int) {
	p.raw = append(p.raw[:0], '[')
	for i := p.first; i < end; i++ {
		p.raw = append(append(p.raw, p.events[i].JSON()...), ',')
	}
	p.raw[len(p.raw)-1] = ']'
}

// finish makes the pack out of the body tried last.
func (p *packer) finish(b body, end int) Pack {
	out := Pack{ContentType: event.ContentTypeBatch, Encoding: b.encoding, First: p.first, End: end}
	single := end == p.first+1
	if single && (b.encoding == Plain || b.encoding == Base64) {
		out.ContentType = event.ContentTypeJSON
	}
	switch {
	case b.encoding == Base64:
		out.Body = encodeBase64(b.plain)
	case b.encoding != Plain:
		out.Body = encodeBase64(p.packed)
	case single:
		out.Body = b.plain
	default:
		out.Body = bytes.Clone(b.plain) // the scratch is used again
	}
	p.first = end
	return out
}

// isText reports whether SQS takes b as a message body (Amazon SQS API reference,
// SendMessage). b is JSON that Parse has checked: valid UTF-8, and of the characters
// that SQS does not take, only U+FFFE and U+FFFF can be in it.
func isText(b []byte) bool {
	return !bytes.Contains(b, []byte("\ufffe")) && !bytes.Contains(b, []byte("\uffff"))
}
