package spec

import (
	"fmt"
	"log/slog"
)

// Secret is a setting that is never printed: not by fmt, not in JSON, not in a log line.
type Secret struct{ text string }

const redacted = "[redacted]"

// Bytes is the secret itself, nil where none was given. The caller must not print it.
func (s Secret) Bytes() []byte {
	if s.text == "" {
		return nil
	}
	return []byte(s.text)
}

// String says whether there is a secret, not what it is.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return redacted
}

// Format writes String for every verb: %x and %#v would otherwise show the text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText writes String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
