package mongostore

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

const (
	// maxDepth is how many levels of documents and arrays MongoDB takes, the event itself
	// included (manual, "MongoDB Limits and Thresholds").
	maxDepth = 100
	// maxDocument is MongoDB's 16 MiB less room for what the insert command and the oplog
	// put around a document.
	maxDocument = 16<<20 - 1<<10
)

// encoder writes the members of an event's JSON as BSON fields, in one pass and in their
// order: strings, booleans and null as they are, numbers as appendNumber says, the
// payload of data_base64 as binary. It notes where appendJSON would spell it otherwise.
type encoder struct {
	src   []byte // a valid event's JSON: nothing in it is checked again
	dst   []byte
	end   int // data that would let dst grow beyond is unfit
	depth int
	nul   bool   // a name has NUL, with which BSON ends names
	names []span // of dst: the names so far of the objects that are open
	edits []byte // what makes src of its compact form (edits.go)
	kept  int    // src up to here is in edits
	text  []byte // scratch
}

type span struct{ from, to int }

// event appends the event's members. Data that MongoDB cannot hold is left out: an object
// with a name twice, NUL in a name, more levels than maxDepth, or more bytes than fit.
func (c *encoder) event(withData bool) {
	c.edits, c.kept = c.edits[:0], 0
	for i := c.space(1); c.src[i] != '}'; i = c.space(i) {
		before := mark{i, len(c.dst), len(c.edits), c.kept}
		i = c.comma(i)
		at := len(c.dst)
		name, value := c.name(i)
		switch string(name) {
		case "data_base64":
			i = c.base64(value, at)
		case "data":
			fit := false
			if withData {
				c.depth, c.names, c.nul = 1, c.names[:0], false
				i, fit = c.value(value, at)
			}
			if !fit {
				i = c.leaveOut(before, value)
			}
		default:
			i, _ = c.value(value, at)
		}
	}
}

// mark is where the encoder was before a member.
type mark struct{ src, dst, edits, kept int }

// leaveOut takes back the member that began at m and has its value at src[value]: with its
// comma it is in the edits alone.
func (c *encoder) leaveOut(m mark, value int) (end int) {
	c.dst, c.edits, c.kept = c.dst[:m.dst], c.edits[:m.edits], m.kept
	end = skipValue(c.src, value)
	if c.src[m.src] != ',' { // the first member: the comma is behind it
		end = space(c.src, end) + 1
	}
	c.respell(m.src, end, 0)
	return end
}

// respell notes that the compact form has n bytes instead of src[from:to].
func (c *encoder) respell(from, to, n int) {
	c.edits = appendEdit(c.edits, from-c.kept, n, c.src[from:to])
	c.kept = to
}

// space skips white space, which the compact form does not have.
func (c *encoder) space(i int) int {
	end := space(c.src, i)
	if end > i {
		c.respell(i, end, 0)
	}
	return end
}

// comma skips a comma and the white space behind it.
func (c *encoder) comma(i int) int {
	if c.src[i] == ',' {
		return c.space(i + 1)
	}
	return i
}

// name begins a field with the name at src[i]; its type is written when its value is.
func (c *encoder) name(i int) (name []byte, value int) {
	at := len(c.dst)
	c.dst = append(c.dst, 0)
	end := c.unquote(i)
	name = c.dst[at+1:]
	if len(name) != end-i-len(`""`) { // it had an escape
		c.nul = c.nul || bytes.IndexByte(name, 0) >= 0
	}
	c.dst = append(c.dst, 0)
	return name, c.space(c.space(end) + 1) // over the colon
}

// value appends the value at src[i] of the field that begins at dst[at].
func (c *encoder) value(i, at int) (end int, fit bool) {
	switch c.src[i] {
	case '{', '[':
		return c.nested(i, at)
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
		c.number(i, end, at)
		return end, true
	}
}

// number appends the number src[i:end].
func (c *encoder) number(i, end, at int) {
	start := len(c.dst)
	var t bsoncore.Type
	c.dst, t = appendNumber(c.dst, c.src[i:end])
	c.dst[at] = byte(t)
	if t == bsoncore.TypeInt32 || t == bsoncore.TypeInt64 { // these have only one spelling
		return
	}
	c.text = appendValue(c.text[:0], t, c.dst[start:])
	if !bytes.Equal(c.text, c.src[i:end]) {
		c.respell(i, end, len(c.text))
	}
}

// nested appends an object or an array: its length, its fields and NUL.
func (c *encoder) nested(i, at int) (end int, fit bool) {
	if c.depth == maxDepth {
		return i, false
	}
	c.depth++
	start := len(c.dst)
	c.dst = append(c.dst, 0, 0, 0, 0)
	if c.src[i] == '{' {
		c.dst[at] = byte(bsoncore.TypeEmbeddedDocument)
		i, fit = c.object(i + 1)
	} else {
		c.dst[at] = byte(bsoncore.TypeArray)
		i, fit = c.array(i + 1)
	}
	c.dst = append(c.dst, 0)
	binary.LittleEndian.PutUint32(c.dst[start:], uint32(len(c.dst)-start))
	c.depth--
	return i + 1, fit && len(c.dst) <= c.end
}

func (c *encoder) object(i int) (end int, fit bool) {
	seen := nameSet{first: len(c.names)}
	for i = c.space(i); c.src[i] != '}'; i = c.space(i) {
		i = c.comma(i)
		at := len(c.dst)
		name, value := c.name(i)
		if c.nul || !c.unique(&seen, span{at + 1, at + 1 + len(name)}) {
			return i, false
		}
		if i, fit = c.value(value, at); !fit {
			return i, false
		}
	}
	c.names = c.names[:seen.first]
	return i, true
}

func (c *encoder) array(i int) (end int, fit bool) {
	i = c.space(i)
	for n := int64(0); c.src[i] != ']'; n++ {
		i = c.comma(i)
		at := len(c.dst)
		c.dst = append(c.dst, 0)
		c.dst = append(strconv.AppendInt(c.dst, n, 10), 0)
		if i, fit = c.value(i, at); !fit || len(c.dst) > c.end {
			return i, false
		}
		i = c.space(i)
	}
	return i, true
}

// string appends the string at src[i]: its length, its characters and NUL.
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
	from := len(c.dst)
	end, compact := c.characters(i)
	if !compact {
		c.text = appendQuoted(c.text[:0], c.dst[from:])
		c.respell(i, end, len(c.text))
	}
	return end
}

// characters appends those of the string at src[i]; compact means that appendQuoted spells
// them so.
func (c *encoder) characters(i int) (end int, compact bool) {
	compact = true
	for i++; ; {
		n := plainLen(c.src[i:])
		c.dst = append(c.dst, c.src[i:i+n]...)
		i += n
		if c.src[i] == '"' {
			return i + 1, compact
		}
		from := len(c.dst)
		c.dst, n = appendUnescaped(c.dst, c.src[i:])
		var spelled [6]byte
		compact = compact && mustEscape(c.dst[from]) && bytes.Equal(c.src[i:i+n], appendEscaped(spelled[:0], c.dst[from]))
		i += n
	}
}

// base64 appends the payload that the string at src[i] is.
func (c *encoder) base64(i, at int) (end int) {
	if c.src[i] != '"' { // null
		end, _ = c.value(i, at)
		return end
	}
	start := len(c.dst)
	c.dst = append(c.dst, 0, 0, 0, 0, binaryGeneric)
	payload := len(c.dst)
	end, _ = c.characters(i)
	c.text = append(c.text[:0], c.dst[payload:]...)
	c.dst, _ = base64.StdEncoding.AppendDecode(c.dst[:payload], c.text) // event.Parse has checked it
	c.dst[at] = byte(bsoncore.TypeBinary)
	binary.LittleEndian.PutUint32(c.dst[start:], uint32(len(c.dst)-payload))
	c.text = appendBase64(c.text[:0], c.dst[payload:])
	if !bytes.Equal(c.text, c.src[i:end]) {
		c.respell(i, end, len(c.text))
	}
	return end
}

// binaryGeneric is the BSON binary subtype of plain bytes.
const binaryGeneric = 0

// nameSet are the names of one object: encoder.names from first on, and in many when
// there are many.
type nameSet struct {
	first int
	many  map[string]struct{}
}

// unique adds a name unless the object has it.
func (c *encoder) unique(seen *nameSet, name span) bool {
	const few = 32 // a map costs more than a look through so many
	text := c.dst[name.from:name.to]
	have := c.names[seen.first:]
	switch {
	case seen.many != nil:
		if _, ok := seen.many[string(text)]; ok {
			return false
		}
		seen.many[string(text)] = struct{}{}
		return true
	case len(have) == few:
		seen.many = make(map[string]struct{}, 2*few)
		for _, h := range have {
			seen.many[string(c.dst[h.from:h.to])] = struct{}{}
		}
		return c.unique(seen, name)
	}
	for _, h := range have {
		if h.to-h.from == len(text) && string(c.dst[h.from:h.to]) == string(text) {
			return false
		}
	}
	c.names = append(c.names, name)
	return true
}
