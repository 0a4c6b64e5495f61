package spec

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parse reads text as the row's kind and puts it into s. An error says what is allowed.
func (row *Setting) parse(s *Settings, text string) error {
	switch to := row.into(s).(type) {
	case *Secret:
		if n := int64(len(text)); n > 0 && (n < row.Min || n > row.Max) {
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
	case *string:
		*to = text
		if row.Kind == Choice && !slices.Contains(row.Choices, text) {
			return row.notAChoice(text)
		}
		if row.Kind == Text {
			return row.checkName(text)
		}
	}
	return nil
}

func (row *Setting) number(text string) (int64, error) {
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

func (row *Setting) inRange(n int64, text string) error {
	if n < row.Min || n > row.Max {
		return fmt.Errorf("%s is out of range: %s to %s", text, row.bound(row.Min), row.bound(row.Max))
	}
	return nil
}

func (row *Setting) notAChoice(text string) error {
	return fmt.Errorf("%q is none of %s", text, strings.Join(row.Choices, ", "))
}

var nameOK = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)

func (row *Setting) checkName(text string) error {
	if n := int64(len(text)); n < row.Min || n > row.Max {
		return fmt.Errorf("%d characters, want %d to %d", n, row.Min, row.Max)
	}
	if !nameOK.MatchString(text) {
		return fmt.Errorf("%q may have letters, digits, - and _ only", text)
	}
	return nil
}

// bound writes Min or Max the way a value of the row is written.
func (row *Setting) bound(n int64) string {
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

// nearest is the setting that a misspelt name most likely means: at most a third of its
// letters differ. "" if there is none.
func nearest(name string) string {
	best, least := "", len(name)
	for _, row := range Table {
		if d := distance(name, row.Env); d < least {
			best, least = row.Env, d
		}
	}
	if least > (len(name)-len(EnvPrefix)+2)/3 {
		return ""
	}
	return best
}

// distance is the number of characters to insert, delete, replace, or swap with their
// neighbour to make a into b (optimal string alignment).
func distance(a, b string) int {
	before, above := make([]int, len(b)+1), make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
