package mongostore

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Reading of JSON that event.Parse has checked: nothing here looks for errors.

// space is the index of the first byte at or after b[i] that is no white space.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

const ones, highs = 0x0101010101010101, 0x8080808080808080

// zeros has the high bit set of the first byte of x that is zero; bits above mean nothing.
func zeros(x uint64) uint64 { return (x - ones) &^ x & highs }

// plainLen is the length of the run of b without a quote or a backslash.
func plainLen(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		if m := zeros(x^'"'*ones) | zeros(x^'\\'*ones); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// unescapedLen is the length of the run of b that stands in a JSON string as it is:
// without a quote, a backslash or a control character.
func unescapedLen(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		control := (x - ' '*ones) &^ x & highs
		if m := zeros(x^'"'*ones) | zeros(x^'\\'*ones) | control; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(b) && !mustEscape(b[i]) {
		i++
	}
	return i
}

// stringEnd is the index behind the string at b[i].
func stringEnd(b []byte, i int) int {
	for i++; ; i += 2 {
		if i += plainLen(b[i:]); b[i] == '"' {
			return i + 1
		}
	}
}

func numberEnd(b []byte, i int) int {
	for i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] == '-' || b[i] == '+' || b[i] == '.' || b[i]|0x20 == 'e') {
		i++
	}
	return i
}

// tokenEnd is the index behind the token at b[i]: a string, a number, a literal, or one
// character of punctuation.
func tokenEnd(b []byte, i int) int {
	switch c := b[i]; {
	case c == '"':
		return stringEnd(b, i)
	case c == '-' || c >= '0' && c <= '9':
		return numberEnd(b, i)
	case c == 't' || c == 'n':
		return i + len("true")
	case c == 'f':
		return i + len("false")
	default:
		return i + 1
	}
}

// skipValue is the index behind the value at b[i].
func skipValue(b []byte, i int) int {
	for depth := 0; ; {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if i = tokenEnd(b, i); depth == 0 {
			return i
		}
		i = space(b, i)
	}
}

// appendUnescaped appends the character of the escape sequence that s begins with, and
// returns the length of the sequence. Half a surrogate pair, which UTF-8 cannot say,
// becomes U+FFFD.
func appendUnescaped(dst, s []byte) ([]byte, int) {
	switch c := s[1]; c {
	case 'b':
		return append(dst, '\b'), 2
	case 'f':
		return append(dst, '\f'), 2
	case 'n':
		return append(dst, '\n'), 2
	case 'r':
		return append(dst, '\r'), 2
	case 't':
		return append(dst, '\t'), 2
	case 'u':
		r, n := unescapeRune(s)
		return utf8.AppendRune(dst, r), n
	default: // '"', '\\', '/'
		return append(dst, c), 2
	}
}

// unescapeRune is the character of the \u sequence or pair that s begins with.
func unescapeRune(s []byte) (r rune, n int) {
	r = hex4(s[2:])
	if 0xd800 <= r && r < 0xdc00 && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if low := hex4(s[8:]); 0xdc00 <= low && low < 0xe000 {
			return (r-0xd800)<<10 | (low - 0xdc00) + 0x10000, 12
		}
	}
	return r, 6
}

func hex4(s []byte) (r rune) {
	for _, c := range s[:4] {
		d := rune(c - '0')
		if c > '9' {
			d = rune(c|0x20) - 'a' + 10
		}
		r = r<<4 | d
	}
	return r
}
