package ops

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// array is a JSON array of events. JSON that breaks off or is wrong in the middle ends
// the input, with that element refused: nobody can say where the next one begins.
type array struct {
	buf     *bufio.Reader
	dec     *json.Decoder
	at      newlines
	max     int
	element int
	open    bool
	done    bool
}

func newArray(buf *bufio.Reader, maxLine int) *array {
	a := &array{buf: buf, max: maxLine, at: newlines{r: buf, line: 1}}
	a.dec = json.NewDecoder(&a.at)
	return a
}

func (a *array) ready() bool { return true }

func (a *array) next() (Line, error) {
	if a.done {
		return Line{}, io.EOF
	}
	if !a.open {
		a.open = true
		if _, err := a.dec.Token(); err != nil {
			return a.broken(err)
		}
	}
	if !a.dec.More() {
		return a.end()
	}
	a.element++
	var raw json.RawMessage
	if err := a.dec.Decode(&raw); err != nil {
		return a.broken(err)
	}
	l := Line{Number: a.at.lineOf(a.dec.InputOffset() - int64(len(raw))), Element: a.element, Raw: raw}
	l.check(a.max)
	return l, nil
}

// end reads the closing bracket and makes sure that nothing follows it.
func (a *array) end() (Line, error) {
	a.done = true
	if _, err := a.dec.Token(); err != nil {
		a.element++
		return a.broken(err)
	}
	if _, err := a.dec.Token(); errors.Is(err, io.EOF) || a.sourceFailed() {
		return Line{}, a.at.err
	}
	a.element++
	return a.refused("something follows the end of the array")
}

// sourceFailed reports that the bytes could not be read, whatever the JSON in them is.
func (a *array) sourceFailed() bool { return a.at.err != nil && !errors.Is(a.at.err, io.EOF) }

func (a *array) broken(err error) (Line, error) {
	if a.sourceFailed() {
		return Line{}, a.at.err
	}
	return a.refused("the array breaks here, nothing after it was read: %v", err)
}

func (a *array) refused(format string, args ...any) (Line, error) {
	a.done = true
	return Line{
		Number: a.at.lineOf(a.elementOffset()), Element: max(a.element, 1), Checked: true,
		Err: fault.New(fault.NotJSON, format, args...),
	}, nil
}

// elementOffset is where the element begins that could not be read.
func (a *array) elementOffset() int64 {
	at := a.dec.InputOffset()
	rest := bufio.NewReader(a.dec.Buffered())
	for {
		switch c, err := rest.ReadByte(); {
		case err == nil && (c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			at++
		default:
			return at
		}
	}
}

// newlines notes where the lines of what is read through it end.
type newlines struct {
	r    io.Reader
	read int64   // bytes so far
	line int     // of the last offset asked for
	ends []int64 // offsets of the line ends after it
	err  error
}

func (n *newlines) Read(p []byte) (int, error) {
	c, err := n.r.Read(p)
	for i, b := range p[:c] {
		if b == '\n' {
			n.ends = append(n.ends, n.read+int64(i))
		}
	}
	n.read += int64(c)
	n.err = err
	return c, err
}

// lineOf is the number of the line that the offset is on. Offsets must not go backwards.
func (n *newlines) lineOf(offset int64) int {
	passed := 0
	for passed < len(n.ends) && n.ends[passed] < offset {
		passed++
	}
	n.line += passed
	n.ends = n.ends[passed:]
	return n.line
}
