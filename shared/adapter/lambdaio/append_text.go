package lambdaio

import (
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// MaxPayload is the most bytes of an invocation's payload and of its answer (AWS Lambda
// quotas: 6 MB, synchronous).
const MaxPayload = 6 << 20

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	return append(appendEscaped(append(dst, '"'), s), '"')
}

// appendPartition appends "topic-number".
func appendPartition(dst []byte, topic string, number int32) []byte {
	dst = append(appendEscaped(append(dst, '"'), topic), '-')
	return append(strconv.AppendInt(dst, int64(number), 10), '"')
}

// appendEscaped appends s as it stands between the quotes of a JSON string: escaped is
// only what RFC 8259, section 7, says must be. Bytes that are not UTF-8 become U+FFFD, as
// in encoding/json; a queue takes no such body (queue.ErrInvalid), and what is not text
// anyway goes in base64.
func appendEscaped(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b := unsafe.Slice(unsafe.StringData(s), len(s)) // read only
	for len(b) > 0 {
		n := special(b)
		dst = appendValid(dst, b[:n])
		if b = b[n:]; len(b) == 0 {
			break
		}
		switch c := b[0]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		b = b[1:]
	}
	return dst
}

// appendValid appends b with U+FFFD for every byte that is not UTF-8.
func appendValid(dst, b []byte) []byte {
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	for _, r := range view(b) {
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}
