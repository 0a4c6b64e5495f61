package queue

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestIsText compares with the rule as SQS writes it, character by character.
func TestIsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", "abcdefgh", "0123456789abcdef", " ", "~", "\x7f", "\t", "\n", "\r", "\x00", "\x1f", "\x80", "é", "€", "😀", "\uFFFD", "\uFFFE", "\uFFFF", "\xff",
		}), 0, 12).Draw(t, "pieces")
		var b []byte
		for _, p := range pieces {
			b = append(b, p...)
		}
		want := isTextAsDocumented(b)
		if got := IsText(b); got != want {
			t.Fatalf("IsText(%q) = %v", b, got)
		}
	})
}

// isTextAsDocumented is the rule character by character.
func isTextAsDocumented(b []byte) bool {
	ok := len(b) > 0 && utf8.Valid(b)
	for _, r := range string(b) {
		ok = ok && (r == 0x9 || r == 0xA || r == 0xD || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000)
	}
	return ok
}

func BenchmarkIsText(b *testing.B) {
	body := bytes.Repeat([]byte("0123456789abcdefGHIJ+/=="), 2560)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if !IsText(body) {
			b.Fatal("refused")
		}
	}
}
