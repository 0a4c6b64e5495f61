package pack

import (
	"unicode/utf8"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// packer makes packs greedily. How much raw JSON fits is not known before it is
// compressed: the packer goes by the ratio that it saw last, a little below the target,
// and tries again only when a body came out too large or clearly too small.
type packer struct {
	events []event.Event
	codec  codec
	target int
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
	p := &packer{events: events, codec: codecs[o.Encoding], target: o.Target, ratio: firstRatio}
	if p.target == 0 {
		p.target = TargetBytes
	}
	return p
}

// next makes the pack that begins with the first event not yet packed.
func (p *packer) next() Pack {
	end, grown := p.reach(p.first+1, aim), false
	for {
		b := p.body(end)
		p.ratio = float64(b.size) / float64(b.raw)
		switch {
		case b.size > p.target && end > p.first+1:
			end = min(p.reach(p.first+1, aim), end-1)
			grown = true
			continue
		case b.size < int(enough*float64(p.target)) && !grown:
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
	budget := min(int(part*float64(p.target)/p.ratio), MaxRawBytes)
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

// body is what a pack would be.
type body struct {
	raw      int // bytes of the batch, or of the single event
	size     int // bytes of the body
	encoding string
}

// body tries the events up to end: compressed, or plain where that is not larger.
func (p *packer) body(end int) body {
	p.join(end)
	p.packed = p.codec.compress(p.packed, p.raw)
	plain := p.raw
	if end == p.first+1 {
		plain = p.events[p.first].JSON()
	}
	b := body{len(plain), base64Len(len(p.packed)), p.codec.encoding}
	if len(plain) <= b.size && isText(plain) {
		return body{len(plain), len(plain), Plain}
	}
	if n := base64Len(len(plain)); n < b.size {
		return body{len(plain), n, Base64}
	}
	return b
}

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
	plain := p.raw
	if single := end == p.first+1; single && b.encoding != p.codec.encoding {
		plain = p.events[p.first].JSON()
		out.ContentType = event.ContentTypeJSON
	}
	switch b.encoding {
	case Plain:
		out.Body = plain
		if out.ContentType == event.ContentTypeBatch {
			out.Body = append(make([]byte, 0, len(plain)), plain...)
		}
	case Base64:
		out.Body = encodeBase64(plain)
	default:
		out.Body = encodeBase64(p.packed)
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
