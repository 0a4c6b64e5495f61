package ops

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Line is one event of an input, or one line of it that was not looked at.
type Line struct {
	Number  int         // of its first line in the input, from 1
	Element int         // its place in a JSON array, from 1; 0 when the input is none
	Raw     []byte      // its bytes, without the line end; nobody writes to them again
	Event   event.Event // not valid in unchecked lines
	Checked bool
	Err     error // why it is no event, a *fault.Error; Raw may be cut then
}

// input reads Lines.
type input interface {
	// next returns one line; io.EOF at the end. Any other error ends the input: the
	// source cannot be read further.
	next() (Line, error)
	// ready reports whether next has bytes to go on with before it must wait for more.
	ready() bool
}

const readBuffer = 256 << 10

var (
	gzipMagic = []byte{0x1f, 0x8b}
	utf8BOM   = []byte("\xef\xbb\xbf")
)

// openInput finds out what r is by its content: gzip or not; one JSON document, a JSON
// array of events, or one event a line (NDJSON). Unchecked input is lines, whatever is
// in them. maxLine bounds one event.
func openInput(r io.Reader, checked bool, maxLine int) (input, error) {
	buf := bufio.NewReaderSize(r, readBuffer)
	if magic, _ := buf.Peek(2); bytes.Equal(magic, gzipMagic) {
		z, err := gzip.NewReader(buf)
		if err != nil {
			return nil, fmt.Errorf("the input begins like gzip, but is none: %w", err)
		}
		buf = bufio.NewReaderSize(z, readBuffer)
	}
	if !checked {
		return &lines{r: buf, max: maxLine}, nil
	}
	if bom, _ := buf.Peek(3); bytes.Equal(bom, utf8BOM) {
		_, _ = buf.Discard(3) // as Windows editors write it; no part of JSON
	}
	first, err := firstByte(buf)
	if err != nil || first != '[' && first != '{' {
		return &lines{r: buf, checked: true, max: maxLine}, ignoreEOF(err)
	}
	if first == '[' {
		return newArray(buf, maxLine), nil
	}
	return openObjects(buf, maxLine)
}

// firstByte is the first byte of buf that is no white space, unread.
func firstByte(buf *bufio.Reader) (byte, error) {
	for n := 1; ; n++ {
		b, err := buf.Peek(n)
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				return 0, nil // white space without end: the line reader's business
			}
			return 0, err
		}
		if c := b[n-1]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, nil
		}
	}
}

// openObjects tells one event written over several lines from NDJSON: it is one document
// if its first line by itself is no JSON value and everything together is one.
func openObjects(buf *bufio.Reader, maxLine int) (input, error) {
	if first, whole := firstLine(buf); !whole || json.Valid(first) {
		return &lines{r: buf, checked: true, max: maxLine}, nil
	}
	all, err := io.ReadAll(io.LimitReader(buf, int64(maxLine)+1))
	if err == nil && len(all) <= maxLine && json.Valid(all) {
		return &document{raw: all}, nil
	}
	rest := io.Reader(buf)
	if err != nil {
		rest = failing{err}
	}
	return &lines{
		r:       bufio.NewReaderSize(io.MultiReader(bytes.NewReader(all), rest), readBuffer),
		checked: true, max: maxLine,
	}, nil
}

// firstLine is the first line that is not empty, unread, and whether it is all there: it
// is not when it is longer than the buffer.
func firstLine(buf *bufio.Reader) (line []byte, whole bool) {
	for {
		b, _ := buf.Peek(buf.Buffered())
		line, _, ended := bytes.Cut(bytes.TrimLeft(b, " \t\r\n"), []byte("\n"))
		if ended || len(b) == buf.Size() {
			return line, ended
		}
		if _, err := buf.Peek(len(b) + 1); err != nil {
			return line, true // the input ends here; the error comes again when it is read
		}
	}
}

// failing gives back an error that reading ahead met, in its turn.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// check parses the line's bytes as an event of at most maxLine bytes.
func (l *Line) check(maxLine int) {
	l.Checked = true
	if len(l.Raw) > maxLine {
		l.Err = tooLong(maxLine)
		return
	}
	l.Event, l.Err = event.Parse(l.Raw)
}

func tooLong(maxLine int) error {
	return fault.New(fault.TooLarge, "longer than %d bytes", maxLine)
}

// lines is NDJSON: one event a line. Lines of white space alone are passed over.
type lines struct {
	r       *bufio.Reader
	checked bool
	max     int
	number  int
}

func (s *lines) ready() bool { return s.r.Buffered() > 0 }

func (s *lines) next() (Line, error) {
	for {
		raw, long, err := s.read()
		if err != nil {
			return Line{}, err
		}
		l := Line{Number: s.number, Raw: raw}
		switch {
		case long:
			l.Err = tooLong(s.max)
		case len(bytes.TrimSpace(raw)) == 0:
			continue
		case s.checked:
			l.check(s.max)
		}
		return l, nil
	}
}

// read returns the next line without its end. A line longer than max is read to its end
// but not kept.
func (s *lines) read() (raw []byte, long bool, err error) {
	for {
		part, err := s.r.ReadSlice('\n')
		if !long {
			raw = append(raw, part...)
			long = len(raw) > s.max+2 // the line end
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(raw) > 0, err == nil:
			s.number++
			raw = bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
			return raw, long || len(raw) > s.max, nil
		default:
			return nil, false, err
		}
	}
}

// document is one event, written over several lines.
type document struct {
	raw  []byte
	done bool
}

func (d *document) ready() bool { return true }

func (d *document) next() (Line, error) {
	if d.done {
		return Line{}, io.EOF
	}
	d.done = true
	lead := len(d.raw) - len(bytes.TrimLeft(d.raw, " \t\r\n"))
	l := Line{Number: 1 + bytes.Count(d.raw[:lead], []byte("\n")), Raw: bytes.TrimSpace(d.raw)}
	l.check(len(l.Raw))
	return l, nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
