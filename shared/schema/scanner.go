package schema

import (
	"encoding/json"
	"unicode/utf8"
)

// scanner walks one JSON text. Its methods move on past what they read, and return false
// where the text is not JSON, does not satisfy the node, or cannot be judged here; the last
// sets unsure too, which ends the walk, since oneOf must not take it for a no.
type scanner struct {
	text   []byte
	at     int
	steps  int // that are left: values may be judged
	unsure bool
}

// giveUp leaves the data to the library.
func (s *scanner) giveUp() bool {
	s.unsure = true
	return false
}

// The values that may be judged, one counted each time it is: an ordinary schema needs one
// step for at least two bytes, and one whose alternatives nest could need a number that
// grows exponentially with the depth of the data.
const (
	minSteps     = 1024
	stepsPerByte = 16
)

// maxNesting bounds the recursion, of data and of schemas that refer to themselves. Deeper
// ones are the library's.
const maxNesting = 64

// document reads a value with nothing but space around it.
func (s *scanner) document(n *node) bool {
	s.space()
	if !s.value(n, 0) {
		return false
	}
	s.space()
	return s.at == len(s.text) && !s.unsure
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
	if s.steps--; depth > maxNesting || s.steps < 0 {
		return s.giveUp()
	}
	if n == nil {
		n = anything
	}
	if n.never || n.combined() && !s.others(n, depth) {
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
		return n.kinds&kindString != 0 && s.characters(n)
	case 'n':
		ok = n.kinds&kindNull != 0 && s.word("null")
	case 't':
		ok = n.kinds&kindBoolean != 0 && s.word("true")
	case 'f':
		ok = n.kinds&kindBoolean != 0 && s.word("false")
	default:
		return s.number(n)
	}
	return ok && (n.literals == nil || n.literals[string(s.text[begin:s.at])])
}

// anything is what a nil node stands for.
var anything = newNode()

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
		if !ok {
			return false
		}
		if !plain && len(n.properties) > 0 {
			key = s.decoded(key)
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
		return n.minItems <= 0 && n.maxItems >= 0
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
	begin := s.at
	text, plain, ok := s.quoted()
	if !ok || !n.text && n.literals == nil {
		return ok
	}
	quoted := s.text[begin:s.at]
	if !plain {
		text = s.decoded(text)
		quoted = append(append([]byte{'"'}, text...), '"')
	}
	if n.literals != nil && !n.literals[string(quoted)] {
		return false
	}
	if !n.text {
		return true
	}
	if runes := utf8.RuneCount(text); runes < n.minRunes || runes > n.maxRunes {
		return false
	}
	if n.pattern != nil && !n.pattern.Match(text) {
		return false
	}
	return n.format == nil || n.format(text)
}

// decoded is what the string means that quoted has just read: text with its escapes
// resolved and what is not UTF-8 replaced, as the library sees it.
func (s *scanner) decoded(text []byte) []byte {
	var v string
	if err := json.Unmarshal(s.text[s.at-len(text)-2:s.at], &v); err != nil {
		s.unsure = true // quoted has checked it: this cannot be
	}
	return []byte(v)
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

// number reads a number, and works out its value only where a rule is about that.
func (s *scanner) number(n *node) bool {
	begin := s.at
	plain, ok := s.numeral()
	if !ok {
		return false
	}
	if n.kinds&kindInteger == 0 { // which kindNumber has with it
		return false
	}
	if !n.bounded && n.literals == nil && (plain || n.kinds&kindNumber != 0) {
		return true
	}
	x, ok := numeralOf(s.text[begin:s.at])
	if !ok {
		return s.giveUp()
	}
	switch {
	case !x.whole && n.kinds&kindNumber == 0:
		return false
	case n.literals != nil && (!x.whole || !n.integers[x.integer]):
		return false
	case !n.bounded:
		return true
	}
	within, sure := n.bounds.hold(x)
	if !sure {
		return s.giveUp()
	}
	return within
}

// numeral reads a number; plain: it has no fraction and no exponent.
func (s *scanner) numeral() (plain, ok bool) {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return false, false
	}
	plain = true
	if s.take('.') {
		plain = false
		if !s.digits() {
			return false, false
		}
	}
	if s.peek()|0x20 == 'e' {
		plain = false
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		begin := s.at
		if !s.digits() {
			return false, false
		}
		if s.at-begin > maxExponent { // as numbersFit has it, but for leading zeros
			return false, s.giveUp()
		}
	}
	return plain, true
}

func (s *scanner) digits() bool {
	begin := s.at
	for digit(s.peek()) {
		s.at++
	}
	return s.at > begin
}
