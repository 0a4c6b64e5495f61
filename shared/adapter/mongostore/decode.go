package mongostore

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// appendJSON appends the compact JSON of the event that fields, a part of a document, are:
// in their order, without the store's own. They must be valid BSON.
func appendJSON(dst, fields []byte) []byte {
	dst = append(dst, '{')
	for b := fields; len(b) > 0; {
		t, name, value := element(b)
		n := valueLen(t, value)
		if len(name) == 0 || name[0] != '_' {
			dst = append(appendQuoted(dst, name), ':')
			dst = append(appendValue(dst, t, value[:n]), ',')
		}
		b = value[n:]
	}
	return closing(dst, '}')
}

// element splits the field that b begins with.
func element(b []byte) (t bsoncore.Type, name, value []byte) {
	end := 1 + bytes.IndexByte(b[1:], 0)
	return bsoncore.Type(b[0]), b[1:end], b[end+1:]
}

// closing replaces the comma behind the last element.
func closing(dst []byte, c byte) []byte {
	if dst[len(dst)-1] == ',' {
		dst[len(dst)-1] = c
		return dst
	}
	return append(dst, c)
}

// valueLen is the length of the value of type t that b begins with.
func valueLen(t bsoncore.Type, b []byte) int {
	switch t {
	case bsoncore.TypeString:
		return 4 + int(binary.LittleEndian.Uint32(b))
	case bsoncore.TypeEmbeddedDocument, bsoncore.TypeArray:
		return int(binary.LittleEndian.Uint32(b))
	case bsoncore.TypeInt32:
		return 4
	case bsoncore.TypeInt64, bsoncore.TypeDouble, bsoncore.TypeDateTime:
		return 8
	case bsoncore.TypeBoolean:
		return 1
	}
	_, rest, _ := bsoncore.ReadValue(b, t)
	return len(b) - len(rest)
}

func appendValue(dst []byte, t bsoncore.Type, b []byte) []byte {
	switch t {
	case bsoncore.TypeString:
		return appendQuoted(dst, b[4:len(b)-1])
	case bsoncore.TypeEmbeddedDocument:
		dst = append(dst, '{')
		for b = b[4:]; b[0] != 0; {
			t, name, value := element(b)
			n := valueLen(t, value)
			dst = append(appendQuoted(dst, name), ':')
			dst = append(appendValue(dst, t, value[:n]), ',')
			b = value[n:]
		}
		return closing(dst, '}')
	case bsoncore.TypeArray:
		dst = append(dst, '[')
		for b = b[4:]; b[0] != 0; {
			t, _, value := element(b)
			n := valueLen(t, value)
			dst = append(appendValue(dst, t, value[:n]), ',')
			b = value[n:]
		}
		return closing(dst, ']')
	case bsoncore.TypeInt32:
		return strconv.AppendInt(dst, int64(int32(binary.LittleEndian.Uint32(b))), 10)
	case bsoncore.TypeInt64:
		return strconv.AppendInt(dst, int64(binary.LittleEndian.Uint64(b)), 10)
	case bsoncore.TypeDouble:
		return appendDouble(dst, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case bsoncore.TypeBoolean:
		return strconv.AppendBool(dst, b[0] == 1)
	case bsoncore.TypeNull:
		return append(dst, "null"...)
	case bsoncore.TypeBinary:
		return appendBase64(dst, b[5:])
	case bsoncore.TypeDecimal128:
		high, low, _, _ := bsoncore.ReadDecimal128(b)
		return append(dst, bson.NewDecimal128(high, low).String()...)
	default: // another client's: MongoDB Extended JSON
		return append(dst, bson.RawValue{Type: bson.Type(t), Value: b}.String()...)
	}
}

func appendBase64(dst, payload []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, payload)
	return append(dst, '"')
}

// appendQuoted appends s as a JSON string with the escapes that it must have, the short
// ones where JSON has them.
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	for {
		n := unescapedLen(s)
		dst = append(dst, s[:n]...)
		if n == len(s) {
			return append(dst, '"')
		}
		dst = appendEscaped(dst, s[n])
		s = s[n+1:]
	}
}

// mustEscape says which characters do not stand in a JSON string as they are.
func mustEscape(c byte) bool { return c < ' ' || c == '"' || c == '\\' }

func appendEscaped(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	default:
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
	}
}
