package emf

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// maxText bounds a text property in bytes, so that a line stays below the 1 MB that
// CloudWatch takes whatever a source calls its requests.
const maxText = 1024

// line appends JSON. Written by hand since encoding/json would sort and reflect on each
// invocation; it has no state but the bytes.
type line struct{ b []byte }

func (l *line) raw(s string) { l.b = append(l.b, s...) }

func (l *line) int(n int64) { l.b = strconv.AppendInt(l.b, n, 10) }

// end of the JSON object and of the line.
func (l *line) end() { l.raw("}\n") }

// comma separates a member or element from the one before it.
func (l *line) comma() {
	if c := l.b[len(l.b)-1]; c != '{' && c != '[' {
		l.b = append(l.b, ',')
	}
}

func (l *line) key(name string) {
	l.comma()
	l.quote(name)
	l.b = append(l.b, ':')
}

// definition of a metric in a directive.
func (l *line) definition(name string, unit spec.Unit) {
	l.comma()
	l.raw(`{"Name":"`)
	l.raw(name)
	l.raw(`","Unit":"`)
	l.raw(string(unit))
	l.raw(`"}`)
}

// text is a string member, left out when empty.
func (l *line) text(name, value string) {
	if value != "" {
		l.key(name)
		l.quote(value)
	}
}

func (l *line) number(name string, v float64) {
	l.key(name)
	l.b = strconv.AppendFloat(l.b, v, 'f', -1, 64)
}

// tenths writes d in milliseconds, rounded to a tenth.
func (l *line) tenths(d time.Duration) {
	t := int64((max(d, 0) + 50*time.Microsecond) / (100 * time.Microsecond))
	l.int(t / 10)
	if t%10 != 0 {
		l.b = append(l.b, '.', byte('0'+t%10))
	}
}

func (l *line) quote(s string) {
	if len(s) > maxText {
		s = s[:maxText]
	}
	if strings.IndexFunc(s, special) < 0 {
		l.b = append(l.b, '"')
		l.b = append(l.b, s...)
		l.b = append(l.b, '"')
		return
	}
	quoted, _ := json.Marshal(s) // of a string: no error, and invalid UTF-8 is replaced
	l.b = append(l.b, quoted...)
}

// special characters, and all beyond ASCII, are left to encoding/json.
func special(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }
