package event

import (
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Parse reads one event in the JSON format and checks every rule of the specification.
// It keeps b and the event's strings are views of it. The error is a *fault.Error of a
// permanent kind whose reason names the rule. What is not JSON is fault.NotJSON, whatever
// else is wrong with it.
func Parse(b []byte) (Event, error) {
	var e Event
	end, rule, err := parseAt(b, space(b, 0), &e)
	if err == nil {
		if end = space(b, end); end < len(b) {
			err = notJSON(b, end)
		}
	}
	switch {
	case err != nil:
		return Event{}, err
	case rule != nil:
		return Event{}, rule
	}
	return e, nil
}

// parser reads one event.
type parser struct {
	b     []byte // begins with the event
	e     Event
	seen  uint32 // members of known names, by nameIndex
	given uint32 // those of them that are not null
	names names
	flaws flaws
	rule  *fault.Error // the first rule of CloudEvents that is broken
}

// parseAt reads the event at b[i] and returns the index behind it. err is a breach of
// JSON's grammar; rule is a breach of anything else, and then e is not valid but end is.
func parseAt(b []byte, i int, e *Event) (end int, rule, err *fault.Error) {
	if i >= len(b) || b[i] != '{' {
		var f flaws
		end, ok := valueEnd(b, i, &f)
		if !ok {
			return end, nil, notJSON(b, end)
		}
		return end, fault.New(fault.NotCloudEvent, "not a JSON object"), nil
	}
	if len(b)-i > maxBytes {
		return i, nil, fault.New(fault.TooLarge, "%d bytes, the limit is %d", len(b)-i, maxBytes)
	}
	p := parser{b: b[i:]}
	n, ok := p.object()
	if !ok {
		return i + n, nil, notJSON(b, i+n)
	}
	p.complete()
	p.e.raw = p.b[:n:n]
	*e = p.e
	return i + n, p.rule, nil
}

// notJSON says where the grammar of JSON is broken.
func notJSON(b []byte, at int) *fault.Error {
	if at >= len(b) {
		return fault.New(fault.NotJSON, "ends too early, after %d bytes", len(b))
	}
	return fault.New(fault.NotJSON, "at byte %d", at)
}

func (p *parser) broken(reason fault.Reason, format string, args ...any) {
	if p.rule == nil {
		p.rule = fault.New(reason, format, args...)
	}
}

// object reads the members of the event.
func (p *parser) object() (i int, ok bool) {
	b := p.b
	if i = space(b, 1); i < len(b) && b[i] == '}' {
		return i + 1, true
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return i, false
		}
		start := i + 1
		end, c := stringEnd(b, start)
		if c >= control {
			return end, false
		}
		if i = space(b, end+1); i >= len(b) || b[i] != ':' {
			return i, false
		}
		name := b[start:end]
		if c != 0 {
			name = p.unusualName(name, c)
		}
		if i, ok = p.member(name, space(b, i+1)); !ok {
			return i, false
		}
		if i = space(b, i); i >= len(b) {
			return i, false
		}
		switch b[i] {
		case ',':
			i = space(b, i+1)
		case '}':
			return i + 1, true
		default:
			return i, false
		}
	}
}

// unusualName decodes a name that is not plain ASCII.
func (p *parser) unusualName(name []byte, c class) []byte {
	if c&badUTF8 != 0 {
		p.broken(fault.InvalidUTF8, "in the name of an attribute")
	}
	return unescape(make([]byte, 0, len(name)), name)
}

// member reads the value of the member name at b[i].
func (p *parser) member(name []byte, i int) (end int, ok bool) {
	index := nameIndex(name)
	if index == nameUnknown {
		p.extension(name)
	} else if bit := uint32(1) << index; p.seen&bit == 0 {
		p.seen |= bit
	} else {
		p.broken(fault.DuplicateAttribute, "%s", name)
	}
	switch {
	case i >= len(p.b):
		return i, false
	case index == nameData:
		return p.data(i)
	case p.b[i] == '"':
		return p.text(name, index, i)
	}
	if end, ok = valueEnd(p.b, i, &p.flaws); ok {
		p.scalar(name, index, i, end)
	}
	return end, ok
}

// extension checks a name that is not known.
func (p *parser) extension(name []byte) {
	switch {
	case len(name) > MaxNameBytes:
		p.broken(fault.BadAttribute, "a name of %d bytes, the limit is %d", len(name), MaxNameBytes)
	case !isName(name):
		p.broken(fault.BadAttribute, "name %q: only a-z and 0-9 are allowed", name)
	case !p.names.add(name):
		p.broken(fault.DuplicateAttribute, "%s", name)
	}
}

// data reads the value of data.
func (p *parser) data(i int) (end int, ok bool) {
	if end, ok = valueEnd(p.b, i, &p.flaws); ok {
		p.given |= 1 << nameData
		p.e.data = span{uint32(i), uint32(end - i)}
	}
	return end, ok
}

// text reads a string, the value of an attribute or of data_base64.
func (p *parser) text(name []byte, index, i int) (end int, ok bool) {
	start := i + 1
	end, c := stringEnd(p.b, start)
	if c >= unquoted {
		return end, false
	}
	s := p.b[start:end]
	switch {
	case index == nameBase64:
		if c >= control {
			return end, false
		}
		p.base64(s, c, start)
	case c == 0:
		p.attribute(name, index, s, span{uint32(start), uint32(len(s))})
	default:
		value, reason := attributeText(s, c)
		if reason != "" {
			p.broken(reason, "%s", name)
			break
		}
		p.attribute(name, index, value, p.decode(s, value, c, index, start))
	}
	return end + 1, true
}

// decode is the span of a value that is not plain ASCII: in raw, or kept apart when raw
// has it with an escape and an accessor may ask for it.
func (p *parser) decode(s, value []byte, c class, index, start int) span {
	if c&escaped == 0 || index >= nNamed {
		return span{uint32(start), uint32(len(s))}
	}
	at := len(p.e.decoded)
	p.e.decoded += string(value)
	return span{inDecoded | uint32(at), uint32(len(value))}
}

// attribute checks the value of a string attribute and notes where it is.
func (p *parser) attribute(name []byte, index int, value []byte, at span) {
	limit, nonEmpty := MaxAttributeBytes, true
	switch index {
	case nID:
		limit = MaxIDBytes
	case nSource:
		limit = MaxSourceBytes
		fallthrough
	case nSchema:
		if !isURI(value) {
			p.broken(fault.BadAttribute, "%s has a space", name)
		}
	case nType, nSubject, nContentType:
	case nTime:
		if _, ok := parseTime(viewOf(value)); !ok {
			p.broken(fault.InvalidTime, "%.40q", value)
		}
	case nameVersion:
		if string(value) != "1.0" {
			p.broken(fault.BadSpecVersion, "%.20q", value)
		}
	default:
		nonEmpty = false
	}
	switch {
	case len(value) > limit:
		p.broken(fault.AttributeTooLong, "%s has %d bytes, the limit is %d", name, len(value), limit)
	case len(value) == 0 && nonEmpty:
		p.empty(name, index)
	}
	if index < nNamed {
		p.e.named[index] = at
	}
	if index < nameUnknown {
		p.given |= 1 << index
	}
	if index == nReceived {
		p.e.flags |= receivedMember
	}
}

func (p *parser) empty(name []byte, index int) {
	reason := fault.BadAttribute
	if 1<<index&requiredNames != 0 {
		reason = fault.MissingAttribute
	}
	p.broken(reason, "%s is empty", name)
}

// scalar checks the value of an attribute that is no string.
func (p *parser) scalar(name []byte, index, i, end int) {
	if index == nReceived {
		p.e.flags |= receivedMember
	}
	value := p.b[i:end]
	switch c := value[0]; {
	case c == 'n':
		return
	case index == nameVersion:
		p.broken(fault.BadSpecVersion, "%.20q: not a string", value)
	case index == nameBase64:
		p.broken(fault.InvalidData, "data_base64 is not a string")
	case c == '{' || c == '[':
		p.broken(fault.BadAttribute, "%s is an object or an array", name)
	case 1<<index&stringNames != 0:
		p.broken(fault.BadAttribute, "%s is not a string", name)
	case c != 't' && c != 'f' && !isInteger(value):
		p.broken(fault.BadAttribute, "%s is a number, but not an integer of 32 bits", name)
	case index < nNamed:
		n := len(withoutMinusZero(value))
		p.e.named[index] = span{uint32(end - n), uint32(n)}
	}
}

// base64 checks the value of data_base64.
func (p *parser) base64(s []byte, c class, start int) {
	p.given |= 1 << nameBase64
	p.e.base64 = span{uint32(start), uint32(len(s))}
	if c&escaped != 0 {
		p.e.flags |= base64Escaped
		s = unescape(make([]byte, 0, len(s)), s)
	}
	if c&wide != 0 || !isBase64(s) {
		p.broken(fault.InvalidData, "data_base64 is not base64")
	}
}

// complete checks what only the whole event shows.
func (p *parser) complete() {
	const both = 1<<nameData | 1<<nameBase64
	missing := requiredNames &^ p.given
	switch {
	case missing == requiredNames && p.seen&requiredNames == 0:
		p.rule = fault.New(fault.NotCloudEvent, "none of specversion, id, source and type is there")
	case p.flaws.utf8 > 0:
		p.broken(fault.InvalidUTF8, "in the string at byte %d of the event", p.flaws.utf8-1)
	case p.flaws.depth > 0:
		p.broken(fault.TooDeep, "more than %d levels at byte %d of the event", MaxDepth, p.flaws.depth-1)
	case p.given&both == both:
		p.broken(fault.InvalidData, "both data and data_base64")
	case missing != 0:
		for _, r := range required {
			if missing&(1<<r.index) != 0 {
				p.broken(fault.MissingAttribute, "%s", r.name)
			}
		}
	}
}
