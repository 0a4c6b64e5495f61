package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Builder makes a new event or a changed copy of one. Errors are kept until Build.
type Builder struct {
	base []byte // the JSON of the event that is changed; nil for a new one
	has  string // its datacontenttype
	sets []setting
	err  error
}

// setting is a member to be: its value as JSON, nil to leave it out.
type setting struct {
	name  string // "data" stands for data and data_base64, of which an event has one
	as    string // the name in the JSON
	value []byte
}

// New starts an event with the required attributes and specversion 1.0.
func New(source, id, typ string) *Builder {
	b := &Builder{}
	return b.Set("specversion", "1.0").Set("id", id).Set("source", source).Set("type", typ)
}

// Edit starts from e: every attribute that is not set again keeps its value, the order
// of its members and, for data, its bytes.
func (e *Event) Edit() *Builder { return &Builder{base: e.raw, has: e.ContentType()} }

// Set sets an attribute. value is a string, bool, int, int32 or int64 (of 32 bits),
// time.Time, []byte (base64) or nil, which removes an optional attribute.
func (b *Builder) Set(name string, value any) *Builder {
	if !isName(name) || name == "data" {
		return b.fail(fault.New(fault.BadAttribute, "name %.64q: only a-z and 0-9 are allowed, and not data", name))
	}
	v, ok := attributeJSON(value)
	if !ok {
		return b.fail(fault.New(fault.BadAttribute, "%s cannot be a %T", name, value))
	}
	return b.set(name, name, v)
}

// Data sets data to v as encoding/json writes it (a json.RawMessage is kept byte for
// byte). datacontenttype becomes application/json where the event has none, or one that
// does not go with v: only a string can be data of a type other than JSON.
func (b *Builder) Data(v any) *Builder {
	value, err := dataJSON(v)
	if err != nil {
		return b.fail(err)
	}
	if has := b.contentType(); has == "" || !isJSON(has) && value[0] != '"' {
		b.Set("datacontenttype", "application/json")
	}
	return b.set("data", "data", value)
}

// Bytes sets data_base64 and datacontenttype; "" removes the latter.
func (b *Builder) Bytes(contentType string, p []byte) *Builder {
	if contentType == "" {
		b.Set("datacontenttype", nil)
	} else {
		b.Set("datacontenttype", contentType)
	}
	return b.set("data", "data_base64", quoteBase64(p))
}

// Build checks the event as Parse does.
func (b *Builder) Build() (Event, error) {
	if b.err != nil {
		return Event{}, b.err
	}
	return Parse(b.json())
}

// json writes the members of base, changed where they are set, and then the new ones.
func (b *Builder) json() []byte {
	out := make([]byte, 0, b.size())
	out = append(out, '{')
	done := make([]bool, len(b.sets))
	if b.base != nil {
		for m := range members(b.base) {
			if i := b.find(m.name); i < 0 {
				out = append(append(out, m.text...), ',')
			} else if !done[i] {
				out = b.sets[i].append(out)
				done[i] = true
			}
		}
	}
	for i := range b.sets {
		if !done[i] {
			out = b.sets[i].append(out)
		}
	}
	return append(bytes.TrimSuffix(out, []byte{','}), '}')
}

func (s *setting) append(out []byte) []byte {
	if s.value == nil {
		return out
	}
	out = append(append(append(out, '"'), s.as...), `":`...)
	return append(append(out, s.value...), ',')
}

func (b *Builder) size() int {
	n := len(b.base) + len("{}")
	for _, s := range b.sets {
		n += len(s.as) + len(s.value) + len(`"":,`)
	}
	return n
}

func (b *Builder) set(name, as string, value []byte) *Builder {
	s := setting{name, as, value}
	if i := b.find(name); i >= 0 {
		b.sets[i] = s
	} else {
		b.sets = append(b.sets, s)
	}
	return b
}

// find returns the index of the setting of a member, -1 if it is not set.
func (b *Builder) find(name string) int {
	if name == "data_base64" {
		name = "data"
	}
	return slices.IndexFunc(b.sets, func(s setting) bool { return s.name == name })
}

func (b *Builder) contentType() string {
	i := b.find("datacontenttype")
	switch {
	case i < 0:
		return b.has
	case b.sets[i].value == nil:
		return ""
	}
	s, _ := canonical(b.sets[i].value)
	return s
}

func (b *Builder) fail(err error) *Builder {
	if b.err == nil {
		b.err = err
	}
	return b
}

// attributeJSON is the value of an attribute as JSON, nil for nil.
func attributeJSON(value any) (v []byte, ok bool) {
	switch x := value.(type) {
	case nil:
		return nil, true
	case string:
		return quote(nil, x), true
	case bool:
		return strconv.AppendBool(nil, x), true
	case int:
		return strconv.AppendInt(nil, int64(x), 10), true
	case int32:
		return strconv.AppendInt(nil, int64(x), 10), true
	case int64:
		return strconv.AppendInt(nil, x, 10), true
	case time.Time:
		return quote(nil, x.Format(time.RFC3339Nano)), true
	case []byte:
		return quoteBase64(x), true
	}
	return nil, false
}

func dataJSON(v any) ([]byte, error) {
	raw, ok := v.(json.RawMessage)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, fault.Wrap(err, fault.InvalidData, "write data as JSON")
		}
		return b, nil
	}
	if reason := checkJSON(raw); reason != "" {
		return nil, fault.New(reason, "data is not one JSON value")
	}
	return raw[space(raw, 0):], nil
}

// checkJSON says what is wrong with b as one JSON value, white space around it allowed;
// "" when nothing is.
func checkJSON(b []byte) fault.Reason {
	var f flaws
	end, ok := valueEnd(b, 0, &f)
	switch {
	case !ok || space(b, end) < len(b):
		return fault.NotJSON
	case f.utf8 > 0:
		return fault.InvalidUTF8
	case f.depth > 0:
		return fault.TooDeep
	}
	return ""
}

// quote appends s as a JSON string. Characters that no attribute may have stay as they
// are: Parse then refuses them with their own reason.
func quote(dst []byte, s string) []byte {
	dst = append(dst, '"')
	if strings.IndexByte(s, '"') < 0 && strings.IndexByte(s, '\\') < 0 {
		return append(append(dst, s...), '"')
	}
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

func quoteBase64(p []byte) []byte {
	out := make([]byte, 0, base64.StdEncoding.EncodedLen(len(p))+2)
	return append(base64.StdEncoding.AppendEncode(append(out, '"'), p), '"')
}
