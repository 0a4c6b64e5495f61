package spec

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parse reads text as the row's kind and puts it into s; "" leaves the field zero. An
// error says what is allowed.
func (row *Row[S]) parse(s *S, text string) error {
	if text == "" {
		return nil
	}
	switch to := row.into(s).(type) {
	case *Secret:
		if n := int64(len(text)); n < row.Min || n > row.Max {
			return fmt.Errorf("the secret has %d bytes, want %d to %d", n, row.Min, row.Max) // never its text
		}
		*to = Secret{text}
	case *slog.Level:
		if !slices.Contains(row.Choices, text) {
			return row.notAChoice(text)
		}
		return to.UnmarshalText([]byte(text))
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 500ms, 2s or 5m", text)
		}
		*to = d
		return row.inRange(int64(d), text)
	case *int:
		n, err := row.number(text)
		if err != nil {
			return err
		}
		*to = int(n)
		return row.inRange(n, text)
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*to = text == "true"
	case *[]string:
		*to = split(text)
		return row.checkItems(*to)
	case *string:
		*to = text
		if row.Kind == Choice {
			return row.choice(text)
		}
		return row.checkText(text)
	}
	return nil
}

func (row *Row[S]) choice(text string) error {
	if !slices.Contains(row.Choices, text) {
		return row.notAChoice(text)
	}
	return nil
}

func (row *Row[S]) number(text string) (int64, error) {
	if row.Kind == Bytes {
		n, err := parseBytes(text)
		if err != nil {
			return 0, fmt.Errorf("%q is not a size such as 512, 200KiB or 10MB", text)
		}
		return n, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	return n, nil
}

func (row *Row[S]) inRange(n int64, text string) error {
	if len(row.Choices) > 0 {
		return row.choice(text)
	}
	if n < row.Min || n > row.Max {
		return fmt.Errorf("%s is out of range: %s to %s", text, row.bound(row.Min), row.bound(row.Max))
	}
	return nil
}

func (row *Row[S]) notAChoice(text string) error {
	return fmt.Errorf("%q is none of %s", text, strings.Join(row.Choices, ", "))
}

func (row *Row[S]) checkText(text string) error {
	if n := int64(len(text)); n < row.Min || n > row.Max {
		return fmt.Errorf("%d characters, want %d to %d", n, row.Min, row.Max)
	}
	return row.Pattern.check(text)
}

func (row *Row[S]) checkItems(items []string) error {
	if n := int64(len(items)); n < row.Min || n > row.Max {
		return fmt.Errorf("%d items, want %d to %d", n, row.Min, row.Max)
	}
	for _, item := range items {
		if err := row.Pattern.check(item); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pattern) check(text string) error {
	if !p.re.MatchString(text) {
		return fmt.Errorf("%q is wrong: it is to be %s", text, p.Words)
	}
	return nil
}

// bound writes Min or Max the way a value of the row is written.
func (row *Row[S]) bound(n int64) string {
	switch row.Kind {
	case Bytes:
		return formatBytes(n)
	case Duration:
		return formatDuration(time.Duration(n))
	default:
		return strconv.FormatInt(n, 10)
	}
}

// sizes are decimal (SI) and binary (IEC 80000-13) units of bytes, the largest first.
var sizes = []struct {
	suffix string
	bytes  int64
}{
	{"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

var errNotASize = errors.New("not a size")

func parseBytes(text string) (int64, error) {
	digits, unit := text, int64(1)
	for _, u := range sizes {
		if d, ok := strings.CutSuffix(text, u.suffix); ok {
			digits, unit = strings.TrimSpace(d), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, errNotASize
	}
	return n * unit, nil
}

func formatBytes(n int64) string {
	for _, u := range sizes {
		if n >= u.bytes && n%u.bytes == 0 && u.bytes > 1 {
			return strconv.FormatInt(n/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}

// formatDuration is d.String without zero parts: 15m, not 15m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if t, ok := strings.CutSuffix(s, "m0s"); ok {
		s = t + "m"
	}
	if t, ok := strings.CutSuffix(s, "h0m"); ok {
		s = t + "h"
	}
	return s
}
