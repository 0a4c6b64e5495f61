package spec

import (
	"regexp"
	"strings"
	"unicode"
)

// Kind of a setting: how its text is read.
type Kind string

const (
	Text     Kind = "text"
	List     Kind = "list" // comma-separated
	Choice   Kind = "choice"
	Flag     Kind = "flag" // true or false
	Integer  Kind = "integer"
	Bytes    Kind = "bytes"    // 512, 200KiB, 10MB
	Duration Kind = "duration" // 500ms, 2s, 5m
	Level    Kind = "log level"
	Key      Kind = "secret"
)

// Row is one setting of the struct S.
type Row[S any] struct {
	Name    string // of the field of S
	Key     string // what the operator writes: an environment variable or a context key
	Kind    Kind
	Default string // as one would write it; "" for none, which leaves the field zero
	// OnLocalStack is the default where the target is LocalStack; "" if it is no other.
	OnLocalStack string
	Choices      []string // of a Choice or a Level, or the few values an Integer may have
	// Min and Max, inclusive: of the number of an Integer, of the bytes, of the duration
	// in nanoseconds, of the length of a Text or a Key, of the items of a List.
	Min, Max int64
	Pattern  *Pattern // of a Text, and of each item of a List
	Meaning  string

	into func(*S) any // where the value goes
}

// Pattern is what a text must look like.
type Pattern struct {
	re    *regexp.Regexp
	Words string // what it allows; completes "… may have" or "… is not"
}

// contextKey is the context key of a run-time setting: LogLevel is given as logLevel.
func (row *Row[S]) contextKey() string {
	first := []rune(row.Name)
	first[0] = unicode.ToLower(first[0])
	return string(first)
}

// fill puts given's texts, or else the defaults, into s and takes them out of given. name
// is what a row is called there. The errors are one per wrong value.
func fill[S any](s *S, table []Row[S], given map[string]string, name func(*Row[S]) string, local bool) []error {
	var errs []error
	for i := range table {
		row := &table[i]
		text := given[name(row)]
		delete(given, name(row))
		if text == "" {
			text = row.defaultOn(local)
		}
		if err := row.parse(s, text); err != nil {
			errs = append(errs, &settingError{name(row), err})
		}
	}
	return errs
}

func (row *Row[S]) defaultOn(local bool) string {
	if local && row.OnLocalStack != "" {
		return row.OnLocalStack
	}
	return row.Default
}

// settingError is what is wrong with one setting.
type settingError struct {
	name string
	err  error
}

func (e *settingError) Error() string { return e.name + ": " + e.err.Error() }
func (e *settingError) Unwrap() error { return e.err }

// split the items of a List.
func split(text string) []string {
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
