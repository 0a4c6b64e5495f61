package main

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		number(0): "0", number(999): "999", number(1000): "1,000", number(27004): "27,004", number(1234567): "1,234,567",
		number(-1): "-1", number(-999): "-999", number(-1000): "-1,000", number(-123456): "-123,456",
		count(1, "event"): "1 event", count(0, "event"): "0 events", count(5000, "event"): "5,000 events",
		size(0): "0 B", size(1023): "1023 B", size(1024): "1.0 KiB", size(1536): "1.5 KiB", size(5 << 20): "5.0 MiB", size(int64(3) << 40): "3.0 TiB",
		latency(840 * time.Microsecond): "840 µs", latency(12345 * time.Microsecond): "12.3 ms", latency(1200 * time.Millisecond): "1.20 s",
		spec.FormatAge(0): "0s", spec.FormatAge(59500 * time.Millisecond): "1m0s", spec.FormatAge(192 * time.Second): "3m12s", spec.FormatAge(5*time.Hour + 20*time.Minute): "5h20m", spec.FormatAge(76 * time.Hour): "3d4h",
		timestamp(time.Time{}): "-", timestamp(time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))): "2026-01-02T02:04:05Z",
		short("abc", 3): "abc", short("äöüß", 3): "äö…",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Text that came from outside cannot move the cursor or change colours.
func TestCellsAreSafe(t *testing.T) {
	for in, want := range map[string]string{
		"": "-", "plain": "plain", "ümlaut": "ümlaut", "a\x1b[31mb": `a\x1b[31mb`, "two\nlines": `two\nlines`, "\u009b2J": `\u009b2J`, "x\u202ey": `x\u202ey`,
	} {
		if got := cell(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	tb := newTable("NAME", ">N", "NOTE")
	tb.add("a", "1", "")
	tb.add("längér", "1,000", "x")
	var b strings.Builder
	if err := tb.write(&b); err != nil {
		t.Fatal(err)
	}
	want := "NAME        N  NOTE\n" +
		"a           1  -\n" +
		"längér  1,000  x\n"
	if b.String() != want {
		t.Errorf("\n%s\nwant\n%s", b.String(), want)
	}
}

func TestDidYouMean(t *testing.T) {
	words := []string{"events", "dlq", "send", "status", "version"}
	for in, want := range map[string]string{
		"evnts": "events", "evetns": "events", "DLQ": "dlq", "sned": "send", "stat": "status", "ver": "version", "vents": "events",
		"xyzzy": "", "": "", "s": "",
	} {
		hint := didYouMean(in, words)
		if want == "" && hint != "" || want != "" && hint != `: did you mean "`+want+`"?` {
			t.Errorf("%q: %q, want %q", in, hint, want)
		}
	}
}

func TestWrap(t *testing.T) {
	got := wrap("aaa bbb ccc\n\n  kept   as it is\nverylongword x", 7)
	if want := "aaa bbb\nccc\n\n  kept   as it is\nverylongword\nx"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
