package mongostore

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

const (
	// maxDepth is how many levels of documents and arrays MongoDB accepts, the event
	// itself included (manual, "MongoDB Limits and Thresholds").
	maxDepth = 100
	// maxDocument is 16 MiB less what the insert command and the oplog need around it.
	maxDocument = 16<<20 - 1<<10
)

// encoder writes an event's JSON as the fields of a BSON document, in one pass and in
// their order: strings, booleans and null as they are, numbers as number.go says, the
// bytes of data_base64 as binary.
type encoder struct {
	src   []byte // a valid event: no need to look for errors
	dst   []byte
	limit int // data that makes dst longer is unfit
	names []nameSpan
	depth int
	text  []byte // scratch
}

// nameSpan is where a field's name stands in encoder.dst.
type nameSpan struct{ from, to int }

// members appends the members of the event. fit is false when MongoDB cannot hold data,
// which is then left out: two members of one name, NUL in a name, more levels than
// maxDepth, or too many bytes.
func (c *encoder) members(withData bool) (fit bool) {
	fit = withData
	i := space(c.src, 1)
	for c.src[i] != '}' {
		if c.src[i] == ',' {
			i = space(c.src, i+1)
		}
		at := c.field()
		name := len(c.dst)
		i, _ = c.name(i) // attributes have no NUL in their names
		i = space(c.src, space(c.src, i)+1)
		switch string(c.dst[name : len(c.dst)-1]) {
		case "data_base64":
			i = c.base64(i, at)
		case "data":
			end, ok := 0, false
			if fit {
				c.depth = 1
				end, ok = c.value(i, at)
			}
			if !ok {
				fit = false
				c.dst = c.dst[:at]
				end = skipValue(c.src, i)
			}
			i = end
		default:
			i, _ = c.value(i, at)
		}
		i = space(c.src, i)
	}
	return fit
}

// field begins a field; its type is written when its value is.
func (c *encoder) field() (at int) {
	at = len(c.dst)
	c.dst = append(c.dst, 0)
	return at
}

// name appends the name that is the string at src[i].
func (c *encoder) name(i int) (end int, ok bool) {
	from := len(c.dst)
	i = c.unquote(i)
	ok = true
	for _, b := range c.dst[from:] {
		if b == 0 {
			ok = false
		}
	}
	c.dst = append(c.dst, 0)
	return i, ok
}

// value appends the value at src[i] of the field whose type is at dst[at].
func (c *encoder) value(i, at int) (end int, ok bool) {
	switch c.src[i] {
	case '{':
		c.dst[at] = byte(bsoncore.TypeEmbeddedDocument)
		return c.nested(i, c.object)
	case '[':
		c.dst[at] = byte(bsoncore.TypeArray)
		return c.nested(i, c.array)
	case '"':
		c.dst[at] = byte(bsoncore.TypeString)
		return c.string(i), true
	case 't':
		c.dst[at] = byte(bsoncore.TypeBoolean)
		c.dst = append(c.dst, 1)
		return i + len("true"), true
	case 'f':
		c.dst[at] = byte(bsoncore.TypeBoolean)
		c.dst = append(c.dst, 0)
		return i + len("false"), true
	case 'n':
		c.dst[at] = byte(bsoncore.TypeNull)
		return i + len("null"), true
	default:
		end = numberEnd(c.src, i)
		var t bsoncore.Type
		c.dst, t = appendNumber(c.dst, c.src[i:end])
		c.dst[at] = byte(t)
		return end, true
	}
}

// nested appends an object or array, as its length, what content appends, and a NUL.
func (c *encoder) nested(i int, content func(i int) (end int, ok bool)) (end int, ok bool) {
	if c.depth == maxDepth || len(c.dst) > c.limit {
		return i, false
	}
	c.depth++
	start := len(c.dst)
	c.dst = append(c.dst, 0, 0, 0, 0)
	if end, ok = content(space(c.src, i+1)); !ok {
		return end, false
	}
	c.dst = append(c.dst, 0)
	binary.LittleEndian.PutUint32(c.dst[start:], uint32(len(c.dst)-start))
	c.depth--
	return end, len(c.dst) <= c.limit
}

func (c *encoder) object(i int) (end int, ok bool) {
	first := len(c.names)
	for c.src[i] != '}' {
		if c.src[i] == ',' {
			i = space(c.src, i+1)
		}
		at := c.field()
		if i, ok = c.name(i); !ok || !c.unique(first, nameSpan{at + 1, len(c.dst) - 1}) {
			return i, false
		}
		if i, ok = c.value(space(c.src, space(c.src, i)+1), at); !ok {
			return i, false
		}
		i = space(c.src, i)
	}
	c.names = c.names[:first]
	return i + 1, true
}

func (c *encoder) array(i int) (end int, ok bool) {
	for n := int64(0); c.src[i] != ']'; n++ {
		if c.src[i] == ',' {
			i = space(c.src, i+1)
		}
		at := c.field()
		c.dst = append(strconv.AppendInt(c.dst, n, 10), 0)
		if i, ok = c.value(i, at); !ok || len(c.dst) > c.limit {
			return i, false
		}
		i = space(c.src, i)
	}
	return i + 1, true
}

// string appends the string at src[i] with its length before it.
func (c *encoder) string(i int) (end int) {
	start := len(c.dst)
	c.dst = append(c.dst, 0, 0, 0, 0)
	i = c.unquote(i)
	c.dst = append(c.dst, 0)
	binary.LittleEndian.PutUint32(c.dst[start:], uint32(len(c.dst)-start-4))
	return i
}

// unquote appends the characters of the string at src[i].
func (c *encoder) unquote(i int) (end int) {
	for i++; ; {
		n := plainLen(c.src[i:])
		c.dst = append(c.dst, c.src[i:i+n]...)
		i += n
		if c.src[i] == '"' {
			return i + 1
		}
		c.dst, n = appendUnescaped(c.dst, c.src[i:])
		i += n
	}
}

// base64 appends the payload that the string at src[i] is.
func (c *encoder) base64(i, at int) (end int) {
	if c.src[i] != '"' { // null
		end, _ = c.value(i, at)
		return end
	}
	dst := c.dst
	c.dst = c.text[:0]
	end = c.unquote(i)
	c.dst, c.text = dst, c.dst
	c.dst[at] = byte(bsoncore.TypeBinary)
	start := len(c.dst)
	c.dst = append(c.dst, 0, 0, 0, 0, binaryGeneric)
	c.dst, _ = base64.StdEncoding.AppendDecode(c.dst, c.text) // event.Parse has checked it
	binary.LittleEndian.PutUint32(c.dst[start:], uint32(len(c.dst)-start-5))
	return end
}

// binaryGeneric is the BSON binary subtype of plain bytes.
const binaryGeneric = 0

// unique adds a name to those from first on, unless it is one of them.
func (c *encoder) unique(first int, name nameSpan) bool {
	const few = 24 // above, a sorted look through all is cheaper than one for each
	c.names = append(c.names, name)
	have := c.names[first : len(c.names)-1]
	if len(have) > few {
		return c.uniqueAmongMany(first)
	}
	text := c.dst[name.from:name.to]
	for _, h := range have {
		if h.to-h.from == len(text) && string(c.dst[h.from:h.to]) == string(text) {
			return false
		}
	}
	return true
}
