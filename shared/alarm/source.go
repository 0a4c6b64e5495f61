package alarm

import (
	"context"
	"errors"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// ErrNotMeasured says that a source never has data of a series: its target does not
// measure it. An alarm on it is not evaluated, whatever it says of missing data.
var ErrNotMeasured = errors.New("not measured on this target")

// Source is where data come from.
type Source interface {
	// Query returns the statistic of the series (after spec.Series.In) in each of the n
	// periods before end, the oldest first: n values. ErrNotMeasured if the target does
	// not measure it.
	Query(ctx context.Context, s spec.Series, end time.Time, period time.Duration, n int) ([]Value, error)
}

// Value of one period. The zero Value is a period without data.
type Value struct {
	V  float64
	OK bool // there are data
}
