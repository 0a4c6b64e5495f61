package schema

import (
	"strconv"
	"unicode/utf8"
)

// scanner walks one JSON text. Its methods move on past what they read, and return false
// where the text is not JSON, does not satisfy the node, or cannot be judged here.
type scanner struct {
	text []byte
	at   int
}

// maxNesting bounds the recursion, of data and of schemas that refer to themselves. Deeper
// ones are the library's.
const maxNesting = 64

// document is a value with nothing but space around it.
func (s *scanner) document(n *node) bool {
	s.space()
	if !s.value(n, 0) {
		return false
	}
	s.space()
	return s.at == len(s.text)
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek is the next byte, 0 at the end: no JSON text goes on with it.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// take moves past c if it is next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// value reads a value that satisfies n.
func (s *scanner) value(n *node, depth int) bool {
	if depth > maxNesting {
		return false
	}
	if n == nil {
		n = &anything
	}
	if n.never || !s.others(n, depth) {
		return false
	}
	begin := s.at
	var ok bool
	switch s.peek() {
	case '{':
		return n.kinds&kindObject != 0 && n.literals == nil && s.object(n, depth)
	case '[':
		return n.kinds&kindArray != 0 && n.literals == nil && s.array(n, depth)
	case '"':
		ok = n.kinds&kindString != 0 && s.characters(n)
	case 'n':
		ok = n.kinds&kindNull != 0 && s.word("null")
	case 't':
		ok = n.kinds&kindBoolean != 0 && s.word("true")
	case 'f':
		ok = n.kinds&kindBoolean != 0 && s.word("false")
	default:
		return n.literals == nil && s.number(n)
	}
	return ok && (n.literals == nil || n.literals[string(s.text[begin:s.at])])
}

// anything is what a nil node stands for.
var anything = node{kinds: anyKind, maxItems: int(^uint(0) >> 1), maxRunes: int(^uint(0) >> 1)}

// others judges the value by the schemas that n refers to, and stays before it.
func (s *scanner) others(n *node, depth int) bool {
	begin := s.at
	for _, other := range n.all {
		s.at = begin
		if !s.value(other, depth+1) {
			return false
		}
	}
	ok := len(n.any) == 0
	for _, other := range n.any {
		s.at = begin
		if s.value(other, depth+1) {
			ok = true
			break
		}
	}
	s.at = begin
	return ok
}

func (s *scanner) word(w string) bool {
	if len(s.text)-s.at < len(w) || string(s.text[s.at:s.at+len(w)]) != w {
		return false
	}
	s.at += len(w)
	return true
}

// object reads an object. A key that is there twice is judged twice: the library sees only
// the last, so what satisfies n here satisfies it there.
func (s *scanner) object(n *node, depth int) bool {
	s.at++
	var seen uint64
	s.space()
	if s.take('}') {
		return n.required == 0
	}
	for {
		s.space()
		key, plain, ok := s.quoted()
		if !ok || !plain { // an escaped or invalid character can be part of any name
			return false
		}
		p := n.properties[string(key)]
		seen |= p.bit
		of := p.node
		if !p.named {
			if n.closed {
				return false
			}
			of = n.additional
		}
		s.space()
		if !s.take(':') {
			return false
		}
		s.space()
		if !s.value(of, depth+1) {
			return false
		}
		s.space()
		if s.take('}') {
			return seen == n.required
		}
		if !s.take(',') {
			return false
		}
	}
}

func (s *scanner) array(n *node, depth int) bool {
	s.at++
	s.space()
	if s.take(']') {
		return n.minItems <= 0
	}
	for count := 0; ; {
		of := n.items
		if count < len(n.prefix) {
			of = n.prefix[count]
		}
		s.space()
		if !s.value(of, depth+1) {
			return false
		}
		count++
		s.space()
		if s.take(']') {
			return n.minItems <= count && count <= n.maxItems
		}
		if !s.take(',') {
			return false
		}
	}
}

// characters reads a string.
func (s *scanner) characters(n *node) bool {
	text, plain, ok := s.quoted()
	if !ok {
		return false
	}
	if n.literals != nil && !plain {
		return false
	}
	if !n.text {
		return true
	}
	if !plain {
		return false // the rules are about what the escapes mean
	}
	if runes := utf8.RuneCount(text); runes < n.minRunes || runes > n.maxRunes {
		return false
	}
	if n.pattern != nil && !n.pattern.Match(text) {
		return false
	}
	return n.format == nil || n.format(text)
}

// quoted reads a string and returns what is between the quotes; plain: these are the
// characters themselves, with no escape, in valid UTF-8.
func (s *scanner) quoted() (text []byte, plain, ok bool) {
	if !s.take('"') {
		return nil, false, false
	}
	begin, plain, ascii := s.at, true, true
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			text = s.text[begin:s.at]
			s.at++
			return text, plain && (ascii || utf8.Valid(text)), true
		case c < ' ':
			return nil, false, false
		case c == '\\':
			plain = false
			if !s.escape() {
				return nil, false, false
			}
		default:
			ascii = ascii && c < utf8.RuneSelf
			s.at++
		}
	}
	return nil, false, false
}

func (s *scanner) escape() bool {
	s.at++ // the backslash
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at++
		return true
	case 'u':
		s.at++
		for range 4 {
			if c := s.peek(); !digit(c) && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
			s.at++
		}
		return true
	}
	return false
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// number reads a number. One with a fraction can still be an integer, and one with an
// exponent be out of range: where that or its size matters, the library decides.
func (s *scanner) number(n *node) bool {
	begin := s.at
	s.take('-')
	switch {
	case s.take('0'):
	case !s.digits():
		return false
	}
	plain, exponent := true, false
	if s.take('.') {
		plain = false
		if !s.digits() {
			return false
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		plain, exponent = false, true
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		if !s.digits() {
			return false
		}
	}
	if !plain {
		return n.kinds&kindNumber != 0 && !n.bounded && !exponent
	}
	return n.kinds&kindInteger != 0 && (!n.bounded || n.within(s.text[begin:s.at]))
}

func (s *scanner) digits() bool {
	begin := s.at
	for digit(s.peek()) {
		s.at++
	}
	return s.at > begin
}

func (n *node) within(text []byte) bool {
	v, err := strconv.ParseInt(string(text), 10, 64) // fails where int64 is too small
	return err == nil && n.low <= v && v <= n.high
}
