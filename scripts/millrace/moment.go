package main

import (
	"strconv"
	"strings"
	"time"
)

// momentHelp says what a --from or --to may be.
const momentHelp = "RFC 3339, a date (its midnight in UTC), or how long ago: 90s, 15m, 2h, 7d"

// parseMoment reads a moment as people type it. How long ago is taken to the second, so
// that the moment can be given again in full.
func parseMoment(flag, s string, now time.Time) (time.Time, error) {
	if t, ok := parseAbsolute(s); ok {
		return t, nil
	}
	ago, err := parseLong(strings.TrimSpace(strings.TrimSuffix(s, "ago")))
	if err != nil || ago < 0 {
		return time.Time{}, usageError("%s %q is no time: give %s", flag, s, momentHelp)
	}
	return now.Add(-ago).UTC().Truncate(time.Second), nil
}

// parseAbsolute reads a time or a date; without a zone it is UTC.
func parseAbsolute(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// parseLong reads a duration that may also be in days.
func parseLong(s string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(s, "d"); ok {
		const most = 100 * 365 // days; more does not fit a Duration by far
		if days, err := strconv.ParseUint(n, 10, 32); err == nil && days <= most {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	}
	return time.ParseDuration(s)
}
