package pack

import (
	"bytes"
	"unicode/utf8"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// packer makes packs greedily. How much raw JSON fits is not known before it is
// compressed: the packer goes by the ratio that it saw last, a little below the target,
// and tries again only when a body came out too large or clearly too small.
type packer struct {
	events []event.Event
	o      Options
	first  int     // the next event
	ratio  float64 // body bytes for a raw byte, as last seen

	raw, packed []byte // scratch
}

const (
	aim        = 0.97 // of the target: events that follow compress a little differently
	enough     = 0.90 // of the target: a body of at least that much is not tried again
	firstRatio = 0.45 // body bytes for a raw byte, before anything was seen
)

func newPacker(events []event.Event, o Options) *packer {
	p := &packer{events: events, o: o, ratio: firstRatio}
	if o.Target == 0 {
		p.o.Target = TargetBytes
	}
	return p
}

// next makes the pack that begins with the first event not yet packed.
func (p *packer) next() Pack {
	end, grown := p.reach(p.first+1, aim), false
	for {
		b := p.body(end)
		p.ratio = float64(b.size) / float64(len(b.plain))
		switch {
		case b.size > p.o.Target && end > p.first+1:
			end = min(p.reach(p.first+1, aim), end-1)
			grown = true
			continue
		case b.size < int(enough*float64(p.o.Target)) && !grown:
			grown = true
			if further := p.reach(end, aim); further > end {
				end = further
				continue
			}
		}
		return p.finish(b, end)
	}
}

// reach returns the end, at least least, of the events that fit into the given part of
// the target by the ratio last seen.
func (p *packer) reach(least int, part float64) int {
	budget := min(int(part*float64(p.o.Target)/p.ratio), MaxRawBytes)
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

// body tries the events up to end: compressed, or plain where that is not larger.
func (p *packer) body(end int) body {
	p.join(end)
	b := body{plain: p.raw}
	if end == p.first+1 {
		b.plain = p.events[p.first].JSON()
	}
	b.encoding, b.size = Plain, len(b.plain)
	if !isText(b.plain) {
		b.encoding, b.size = Base64, base64Len(len(b.plain))
	}
	if p.o.Encoding == S2 || p.o.Encoding == Zstd {
		p.packed = compress(p.o.Encoding, p.packed, p.raw)
		if n := base64Len(len(p.packed)); n < b.size {
			b.encoding, b.size = p.o.Encoding, n
		}
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
	if end == p.first+1 && (b.encoding == Plain || b.encoding == Base64) {
		out.ContentType = event.ContentTypeJSON
	}
	switch {
	case b.encoding == Base64:
		out.Body = encodeBase64(b.plain)
	case b.encoding != Plain:
		out.Body = encodeBase64(p.packed)
	case end == p.first+1:
		out.Body = b.plain
	default:
		out.Body = bytes.Clone(b.plain) // p.raw is used again
	}
	p.first = end
	return out
}

// isText reports whether SQS takes b as a message body (Amazon SQS API reference,
// SendMessage). b is JSON that Parse has checked, so that of the characters SQS does not
// take only two can be in it, U+FFFE and U+FFFF.
func isText(b []byte) bool {
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == 0xfffe || r == 0xffff {
			return false
		}
		i += n
	}
	return true
}
