package event

import (
	"bytes"
	"unicode/utf8"
	"unsafe"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Values of attributes: strings of allowed characters, whole numbers, booleans
// (CloudEvents 1.0.2, section 3.1 Type System).

// unescape appends the value of a JSON string, given as its bytes between the quotes.
// A surrogate without its other half becomes invalid UTF-8.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			i++
			continue
		}
		switch c := s[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			var n int
			dst, n = unescapeRune(dst, s[i:])
			i += n
			continue
		default: // '"', '\\', '/'
			dst = append(dst, c)
		}
		i += 2
	}
	return dst
}

// unescapeRune appends the character of the \u sequence or pair that s begins with.
func unescapeRune(dst, s []byte) ([]byte, int) {
	r := hex4(s[2:])
	if r < 0xd800 || r > 0xdfff {
		return utf8.AppendRune(dst, r), 6
	}
	if r < 0xdc00 && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if low := hex4(s[8:]); 0xdc00 <= low && low <= 0xdfff {
			return utf8.AppendRune(dst, (r-0xd800)<<10|(low-0xdc00)+0x10000), 12
		}
	}
	// UTF-8 has no form for half a pair. These are the bytes that it would have, which
	// every decoder of UTF-8 refuses.
	return append(dst, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f), 6
}

func hex4(s []byte) rune {
	return hexDigit(s[0])<<12 | hexDigit(s[1])<<8 | hexDigit(s[2])<<4 | hexDigit(s[3])
}

// allowed reports whether an attribute may have the character: no control characters,
// no noncharacters (CloudEvents 1.0.2, section 3.1, String).
func allowed(r rune) bool {
	switch {
	case r < 0x20, 0x7f <= r && r <= 0x9f:
		return false
	case 0xfdd0 <= r && r <= 0xfdef, r&0xfffe == 0xfffe:
		return false
	}
	return true
}

// attributeText is the value of a string attribute, given as its bytes between the
// quotes: a view of them without an escape. reason says what is wrong with it, or "".
func attributeText(s []byte, c class) (value []byte, reason fault.Reason) {
	if c&badUTF8 != 0 {
		return nil, fault.InvalidUTF8
	}
	if c&escaped != 0 {
		s = unescape(make([]byte, 0, len(s)), s)
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRune(s[i:])
		if !allowed(r) || r == utf8.RuneError && n == 1 { // the latter: half a surrogate pair
			return nil, fault.ControlCharacter
		}
		i += n
	}
	return s, ""
}

// isInteger reports whether a JSON number is what CloudEvents calls an Integer: whole,
// written without fraction or exponent, of 32 bits.
func isInteger(s []byte) bool {
	limit := int64(1<<31 - 1)
	if s[0] == '-' {
		s, limit = s[1:], 1<<31
	}
	if len(s) > 10 {
		return false
	}
	var v int64
	for _, c := range s {
		if c-'0' > 9 {
			return false
		}
		v = v*10 + int64(c-'0')
	}
	return v <= limit
}

// canonical is the value of an attribute of a valid event in canonical string form;
// false for null.
func canonical(value []byte) (string, bool) {
	switch value[0] {
	case 'n':
		return "", false
	case '"':
		return viewOf(plainText(value)), true
	default:
		return viewOf(withoutMinusZero(value)), true
	}
}

// plainText decodes a valid JSON string, quotes included: a view without an escape.
func plainText(quoted []byte) []byte {
	s := quoted[1 : len(quoted)-1]
	for _, c := range s {
		if c == '\\' {
			return unescape(make([]byte, 0, len(s)), s)
		}
	}
	return s
}

// withoutMinusZero makes "0" of "-0": JSON has both, an Integer has one.
func withoutMinusZero(number []byte) []byte {
	if len(number) == 2 && number[0] == '-' && number[1] == '0' {
		return number[1:]
	}
	return number
}

// viewOf is b as a string without a copy.
func viewOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// isName reports whether CloudEvents allows the name of an attribute (1.0.2, section
// 3, Naming conventions).
func isName[T string | []byte](s T) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) > 0
}

// isURI is lenient: a reference may have any characters but spaces. Control characters
// are refused before.
func isURI(s []byte) bool { return bytes.IndexByte(s, ' ') < 0 }
