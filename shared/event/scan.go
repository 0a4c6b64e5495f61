package event

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Checking of JSON text by RFC 8259, without recursion and without allocation. Indexes
// returned on success point behind what was read.

// class says what is in a JSON string. The zero class is ASCII without escapes: the
// bytes between the quotes are its value.
type class uint8

const (
	escaped  class = 1 << iota // an escape sequence
	wide                       // a character beyond ASCII, or DEL
	badUTF8                    // bytes that are not UTF-8; the string's end is right nevertheless
	control                    // an unescaped control character, which JSON does not allow
	unquoted                   // no string, an escape that JSON does not know, or no end
)

// stringEnd reads a string from behind its opening quote at b[i-1] and returns the index
// of its closing quote, or where it went wrong when the class has unquoted.
func stringEnd(b []byte, i int) (int, class) {
	var c class
	for i < len(b) {
		if i+8 <= len(b) {
			m := special(binary.LittleEndian.Uint64(b[i:]))
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) >> 3
		}
		switch ch := b[i]; {
		case ch == '"':
			return i, c
		case ch == '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				return i, c | unquoted
			}
			c |= escaped
			i += n
		case ch >= utf8.RuneSelf:
			c |= wide
			for i < len(b) && b[i] >= utf8.RuneSelf {
				r, n := utf8.DecodeRune(b[i:])
				if r == utf8.RuneError && n == 1 {
					c |= badUTF8
				}
				i += n
			}
		case ch == 0x7f:
			c |= wide
			i++
		case ch < ' ':
			c |= control
			i++
		default: // only in the last eight bytes of b
			i++
		}
	}
	return i, c | unquoted
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// special has the high bit set of the first byte of x that ends the plain run of a
// string: a quote, a backslash, a control character, DEL or a byte beyond ASCII. Bits
// above the lowest one that is set mean nothing (borrows and carries).
func special(x uint64) uint64 {
	low := (x ^ 0x02*ones) - 0x21*ones // flipping bit 1 brings '"' below 0x21, with the controls, and takes ' ' out
	slash := (x ^ '\\'*ones) - ones
	del := x + ones
	return (low | slash | del | x) & highs
}

// escapeLen is the length of the escape sequence at the start of b, 0 if it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if hexDigit(c) < 0 {
				return 0
			}
		}
		return 6
	}
	return 0
}

func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// space returns the index of the first byte at or after i that is no white space.
func space(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// numberEnd reads the number at b[i]; ok is false when it breaks the grammar.
func numberEnd(b []byte, i int) (end int, ok bool) {
	if b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	default:
		if i, ok = digits(b, i); !ok {
			return i, false
		}
	}
	if i < len(b) && b[i] == '.' {
		if i, ok = digits(b, i+1); !ok {
			return i, false
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return digits(b, i)
	}
	return i, true
}

func digits(b []byte, i int) (end int, ok bool) {
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i, i > start
}

// literalEnd reads true, false or null at b[i].
func literalEnd(b []byte, i int) (end int, ok bool) {
	if len(b)-i >= 4 {
		if s := string(b[i : i+4]); s == "true" || s == "null" {
			return i + 4, true
		}
	}
	if len(b)-i >= 5 && string(b[i:i+5]) == "false" {
		return i + 5, true
	}
	return i, false
}

// flaws of a JSON value whose grammar is right otherwise: 1 + the offset where each was
// first seen, 0 where it was not.
type flaws struct{ utf8, depth int }

// levels are the arrays and objects that are open.
type levels struct {
	depth   int
	object  bool                  // whether the innermost level is an object
	objects [MaxDepth / 64]uint64 // bit d-1: whether level d is one
	deep    []bool                // the same for levels beyond MaxDepth
}

func (l *levels) enter(object bool) {
	if l.depth < MaxDepth {
		word, bit := &l.objects[l.depth>>6], uint64(1)<<(l.depth&63)
		*word &^= bit
		if object {
			*word |= bit
		}
	} else {
		l.deep = append(l.deep[:l.depth-MaxDepth], object)
	}
	l.depth++
	l.object = object
}

func (l *levels) leave() {
	l.depth--
	if d := l.depth - 1; uint(d) < MaxDepth {
		l.object = l.objects[d>>6]>>(d&63)&1 == 1
	} else if d >= MaxDepth {
		l.object = l.deep[d-MaxDepth]
	}
}

// valueEnd reads any value at b[i] and notes its flaws. On a breach of the grammar it
// returns where. It is a state machine and not recursive, so that no depth of input can
// exhaust the stack.
func valueEnd(b []byte, i int, f *flaws) (end int, ok bool) {
	var (
		l     levels
		c     class
		start int
	)
value:
	if i = space(b, i); i >= len(b) {
		return i, false
	}
	switch b[i] {
	case '"':
		start = i
		if i, c = stringEnd(b, i+1); c >= badUTF8 && f.string(c, start) {
			return i, false
		}
		i++
	case '{', '[':
		closing := b[i] + 2 // '}' and ']' are two behind in ASCII
		l.enter(b[i] == '{')
		if l.depth > MaxDepth && f.depth == 0 {
			f.depth = i + 1
		}
		if i = space(b, i+1); i < len(b) && b[i] == closing {
			i++
			l.leave()
			break
		}
		if l.object {
			goto name
		}
		goto value
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if i, ok = numberEnd(b, i); !ok {
			return i, false
		}
	default:
		if i, ok = literalEnd(b, i); !ok {
			return i, false
		}
	}
next:
	if l.depth == 0 {
		return i, true
	}
	if i = space(b, i); i >= len(b) {
		return i, false
	}
	switch {
	case b[i] == ',':
		i++
		if l.object {
			goto name
		}
		goto value
	case b[i] == '}' && l.object, b[i] == ']' && !l.object:
		i++
		l.leave()
		goto next
	}
	return i, false
name:
	if i = space(b, i); i >= len(b) || b[i] != '"' {
		return i, false
	}
	start = i
	if i, c = stringEnd(b, i+1); c >= badUTF8 && f.string(c, start) {
		return i, false
	}
	if i = space(b, i+1); i >= len(b) || b[i] != ':' {
		return i, false
	}
	i++
	goto value
}

// string notes the flaws of the string that begins at b[i], by its class, and reports
// whether it is not JSON.
func (f *flaws) string(c class, i int) (broken bool) {
	if c >= control {
		return true
	}
	if f.utf8 == 0 {
		f.utf8 = i + 1
	}
	return false
}
