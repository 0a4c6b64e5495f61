package queue

import (
	"encoding/binary"
	"unicode/utf8"
)

// IsText reports whether SQS takes b as a message body or an attribute value: not
// empty, valid UTF-8, and only characters #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to
// #xFFFD | #x10000 to #x10FFFF (Amazon SQS API reference, SendMessage).
func IsText(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	for len(b) > 0 {
		if len(b) >= 8 && printable8(binary.LittleEndian.Uint64(b)) {
			b = b[8:]
			continue
		}
		n := textRune(b)
		if n == 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

// printable8 reports whether all eight bytes are ASCII from space on: nearly all that
// packs and JSON are made of.
func printable8(v uint64) bool {
	const high, spaces = 0x8080808080808080, 0x2020202020202020
	return v&high == 0 && ((v|high)-spaces)&high == high
}

// textRune is the length of the character that b begins with, 0 if SQS does not take it.
func textRune(b []byte) int {
	r, n := utf8.DecodeRune(b)
	switch {
	case r == utf8.RuneError && n == 1, r == 0xFFFE, r == 0xFFFF:
		return 0
	case r < 0x20 && r != '\t' && r != '\n' && r != '\r':
		return 0
	}
	return n
}
