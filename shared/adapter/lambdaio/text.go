package lambdaio

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// text reads a string and returns its value: a view where the string has no escapes,
// else a copy. null counts as "", and is nil.
func (s *scanner) text() []byte {
	if s.null() {
		return nil
	}
	raw, escaped := s.str()
	if !escaped {
		return raw
	}
	return unescape(make([]byte, 0, len(raw)), raw)
}

// str reads a string and returns what stands between the quotes, with every escape
// checked but none resolved.
func (s *scanner) str() (raw []byte, escaped bool) {
	if s.token() != '"' {
		s.fail("a string")
		return nil, false
	}
	start := s.i + 1
	for i := start; ; {
		i += special(s.b[i:])
		s.i = i
		if i == len(s.b) {
			s.fail("the end of a string")
			return nil, false
		}
		switch s.b[i] {
		case '"':
			s.i = i + 1
			return s.b[start:i:i], escaped
		case '\\':
			n := escapeLen(s.b[i:])
			if n == 0 {
				s.fail("an escape sequence")
				return nil, false
			}
			escaped = true
			i += n
		default:
			s.fail("no control character in a string")
			return nil, false
		}
	}
}

// escapeLen is the length of the escape sequence that b begins with; 0 if it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads the code unit of an escape sequence \uXXXX.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unescape appends the value of a string that str has read. The value is never longer
// than its source. Half of a surrogate pair becomes U+FFFD, as in encoding/json.
func unescape(dst, raw []byte) []byte {
	for len(raw) > 0 {
		n := special(raw)
		dst = append(dst, raw[:n]...)
		if raw = raw[n:]; len(raw) == 0 {
			break
		}
		if raw[1] != 'u' {
			dst = append(dst, unescaped[raw[1]])
			raw = raw[2:]
			continue
		}
		r, _ := hex4(raw)
		raw = raw[6:]
		if utf16.IsSurrogate(r) {
			low, _ := hex4(raw)
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				raw = raw[6:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

var unescaped = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// special is the index of the first byte that cannot stand for itself in a JSON string
// (a quote, a backslash, a control character), len(b) if there is none. Packs are tens
// of kilobytes without one, so it looks at 32 bytes at a time.
func special(b []byte) int {
	i := 0
	for ; i+32 <= len(b); i += 32 {
		w := b[i : i+32 : i+32]
		m := specials(binary.LittleEndian.Uint64(w)) | specials(binary.LittleEndian.Uint64(w[8:])) |
			specials(binary.LittleEndian.Uint64(w[16:])) | specials(binary.LittleEndian.Uint64(w[24:]))
		if m != 0 {
			break
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if m := specials(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return i
}

// specials has the top bit set in the lowest byte of w that is special; bytes above that
// one may be marked wrongly, by the borrow (the zero-byte test of Hacker's Delight, 6-1).
func specials(w uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, slash := w^ones*'"', w^ones*'\\'
	return ((w-ones*0x20)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & tops
}

// view is b as a string without a copy. b must not change for as long as it is used.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
