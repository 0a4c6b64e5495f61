package lambdaio

import (
	"bytes"
	"strconv"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// maxDepth bounds the nesting of what is skipped, and so the recursion.
const maxDepth = 1000

// scanner reads JSON once, from left to right. The first error sticks: from then on
// every method returns its zero value and every loop over keys or items ends, so callers
// look at err once, at the end.
type scanner struct {
	op  string // what is being read, for the error
	b   []byte
	i   int
	err error
}

// fail records what stood where something else was expected.
func (s *scanner) fail(expected string) {
	if s.err == nil {
		found := "the end"
		if s.i < len(s.b) {
			found = strconv.QuoteToASCII(string(s.b[s.i : s.i+1]))
		}
		s.err = s.error(fault.NotJSON, "byte %d: expected %s, found %s", s.i, expected, found)
	}
	s.i = len(s.b)
}

// What is read.
const (
	opPayload = "decode the Lambda payload"
	opAnswer  = "read the handler's answer"
)

func (s *scanner) error(reason fault.Reason, format string, args ...any) error {
	err := fault.New(reason, format, args...)
	err.Op = s.op
	return err
}

// token is the next byte that is not white space, 0 at the end. It does not consume it.
func (s *scanner) token() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\n', '\r', '\t':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// firstKey enters an object and returns its first key, with the scanner at the value.
// ok is false for an empty object. null counts as an empty object.
func (s *scanner) firstKey() (key []byte, ok bool) {
	if s.null() {
		return nil, false
	}
	if s.token() != '{' {
		s.fail("an object")
		return nil, false
	}
	s.i++
	if s.token() == '}' {
		s.i++
		return nil, false
	}
	return s.key()
}

// nextKey goes on to the next key of the object; ok is false after the last.
func (s *scanner) nextKey() (key []byte, ok bool) {
	switch s.token() {
	case ',':
		s.i++
		return s.key()
	case '}':
		s.i++
	default:
		s.fail(`"," or "}"`)
	}
	return nil, false
}

func (s *scanner) key() (key []byte, ok bool) {
	if s.token() == '"' {
		key = s.shortKey()
	}
	if key == nil {
		key = s.text()
	}
	if s.token() != ':' {
		s.fail(`":"`)
		return nil, false
	}
	s.i++
	return key, s.err == nil
}

// shortKey reads a key without escapes, byte by byte since keys are short. It returns nil
// and consumes nothing when it meets one that is for text to read.
func (s *scanner) shortKey() []byte {
	b := s.b[s.i+1:]
	for i, c := range b {
		switch {
		case c == '"':
			s.i += i + 2
			return b[:i:i]
		case c == '\\' || c < 0x20:
			return nil
		}
	}
	return nil
}

// firstItem enters an array; ok is false for an empty one. null counts as an empty array.
func (s *scanner) firstItem() (ok bool) {
	if s.null() {
		return false
	}
	if s.token() != '[' {
		s.fail("an array")
		return false
	}
	s.i++
	if s.token() == ']' {
		s.i++
		return false
	}
	return s.err == nil
}

// nextItem goes on to the next item of the array; ok is false after the last.
func (s *scanner) nextItem() (ok bool) {
	switch s.token() {
	case ',':
		s.i++
		return true
	case ']':
		s.i++
	default:
		s.fail(`"," or "]"`)
	}
	return false
}

// end fails unless only white space is left.
func (s *scanner) end() {
	if s.token(); s.i < len(s.b) {
		s.fail("the end")
	}
}

// null consumes null, if it is next.
func (s *scanner) null() bool {
	return s.token() == 'n' && s.literal("null")
}

// truth reads true or false; null counts as false.
func (s *scanner) truth() bool {
	switch s.token() {
	case 't':
		return s.literal("true")
	case 'f':
		s.literal("false")
	default:
		if !s.null() {
			s.fail("true or false")
		}
	}
	return false
}

func (s *scanner) literal(word string) bool {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		s.fail(word)
		return false
	}
	s.i += len(word)
	return true
}

// integer reads a number that must be an integer between least and most.
func (s *scanner) integer(least, most int64) int64 {
	s.token()
	start := s.i
	n, ok := s.shortInteger()
	if !ok {
		s.number()
		if s.err != nil {
			return 0
		}
		var err error
		n, err = strconv.ParseInt(view(s.b[start:s.i]), 10, 64)
		ok = err == nil
	}
	if !ok || n < least || n > most {
		s.i = start
		s.fail("an integer between " + strconv.FormatInt(least, 10) + " and " + strconv.FormatInt(most, 10))
		return 0
	}
	return n
}

// shortInteger reads the usual integer, of at most 18 digits and without fraction or
// exponent. It consumes nothing else.
func (s *scanner) shortInteger() (n int64, ok bool) {
	b := s.b[s.i:]
	i := 0
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		i = 1
	}
	first := i
	for ; i < len(b) && i < first+18 && b[i]-'0' <= 9; i++ {
		n = n*10 + int64(b[i]-'0')
	}
	if i == first || b[first] == '0' && i > first+1 {
		return 0, false
	}
	if i < len(b) {
		if c := b[i]; c != ',' && c != ']' && c != '}' { // more of the number, or white space
			return 0, false
		}
	}
	s.i += i
	if negative {
		n = -n
	}
	return n, true
}

// number consumes a number by the grammar of RFC 8259, section 6.
func (s *scanner) number() {
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else {
		s.digits()
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		s.digits()
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		s.digits()
	}
}

func (s *scanner) digits() {
	start := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		s.i++
	}
	if s.i == start {
		s.fail("a digit")
	}
}

// maxBatch is the most records that Lambda puts in one invocation.
const maxBatch = 10_000

// more is about how many more records there are, if all are as long as the one just read.
func (s *scanner) more(recordBytes int) int {
	n := min((len(s.b)-s.i)/recordBytes, maxBatch)
	return n + n/8
}

// skip consumes any value and returns its text.
func (s *scanner) skip() []byte {
	s.token()
	start := s.i
	s.value(0)
	if s.err != nil {
		return nil
	}
	return s.b[start:s.i]
}

func (s *scanner) value(depth int) {
	if depth > maxDepth {
		s.fail("no deeper nesting")
		return
	}
	switch c := s.token(); c {
	case '{':
		for _, ok := s.firstKey(); ok; _, ok = s.nextKey() {
			s.value(depth + 1)
		}
	case '[':
		for ok := s.firstItem(); ok; ok = s.nextItem() {
			s.value(depth + 1)
		}
	case '"':
		s.str()
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		if c != '-' && c-'0' > 9 {
			s.fail("a value")
			return
		}
		s.number()
	}
}
