package main

import (
	"testing"
	"time"
)

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 500, time.UTC)
	for in, want := range map[string]string{
		"2026-02-03T04:05:06Z":      "2026-02-03T04:05:06Z",
		"2026-02-03T04:05:06.5Z":    "2026-02-03T04:05:06.5Z",
		"2026-02-03T04:05:06+02:00": "2026-02-03T02:05:06Z",
		"2026-02-03":                "2026-02-03T00:00:00Z",
		"2026-02-03 04:05":          "2026-02-03T04:05:00Z",
		"2h":                        "2026-03-01T10:00:00Z",
		"2h ago":                    "2026-03-01T10:00:00Z",
		"1h30m":                     "2026-03-01T10:30:00Z",
		"7d":                        "2026-02-22T12:00:00Z",
		"0s":                        "2026-03-01T12:00:00Z",
	} {
		got, err := parseMoment("--from", in, now)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %v %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "now", "-2h", "2", "d", "-1d", "99999999d", "2026-13-01", "1.5d", "ago"} {
		if got, err := parseMoment("--from", in, now); err == nil {
			t.Errorf("%q is %v", in, got)
		}
	}
}
