package schema

import (
	"math"
	"math/big"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// numeral is the value of a number's text.
type numeral struct {
	whole   bool    // it has no fraction, as 3 and 3.0
	integer int64   // if it is whole
	near    float64 // the nearest float64, if it is not
}

// The digits of the largest int64, and those that float64 holds exactly: a quotient of two
// exact numbers is rounded once, so it is the nearest.
const (
	maxDigits      = 19
	maxExactDigits = 15
)

// numeralOf reads a number that JSON allows. It has no answer (ok is false) to exponents and
// to more digits than it holds exactly.
func numeralOf(text []byte) (x numeral, ok bool) {
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	var digits, before uint64
	count, scale := 0, uint64(0) // scale: 10 to the number of places; 0: no point yet
	for _, c := range text {
		switch {
		case c == '.':
			before, scale = digits, 1
		case !digit(c): // an exponent
			return x, false
		case count == maxDigits:
			return x, false
		default:
			digits, scale, count = digits*10+uint64(c-'0'), scale*10, count+1
		}
	}
	if digits > math.MaxInt64 || scale > 0 && count > maxExactDigits {
		return x, false
	}
	sign := int64(1)
	if negative {
		sign = -1
	}
	switch {
	case scale == 0:
		return numeral{whole: true, integer: sign * int64(digits)}, true
	case digits == before*scale:
		return numeral{whole: true, integer: sign * int64(before)}, true
	}
	return numeral{near: float64(sign) * float64(digits) / float64(scale)}, true
}

// bounds of numbers: those of integers are inclusive, the others the nearest to the
// schema's, exclusive or not.
type bounds struct {
	low, high    int64
	above, below float64
}

// hold says whether x is within. sure is false if x is so near to a bound that rounding
// hides which is larger. Where the roundings differ, so do the numbers, in the same sense.
func (b *bounds) hold(x numeral) (within, sure bool) {
	if x.whole {
		return b.low <= x.integer && x.integer <= b.high, true
	}
	return b.above < x.near && x.near < b.below, x.near != b.above && x.near != b.below
}

func numbers(n *node, s *jsonschema.Schema) error {
	n.bounded = s.Minimum != nil || s.ExclusiveMinimum != nil || s.Maximum != nil || s.ExclusiveMaximum != nil
	n.bounds = bounds{math.MinInt64, math.MaxInt64, math.Inf(-1), math.Inf(1)}
	n.bounds.lower(s.Minimum, true)
	n.bounds.lower(s.ExclusiveMinimum, false)
	n.bounds.upper(s.Maximum, true)
	n.bounds.upper(s.ExclusiveMaximum, false)
	return nil
}

func (b *bounds) lower(at *big.Rat, inclusive bool) {
	if at == nil {
		return
	}
	low := floor(at)
	if !inclusive || !at.IsInt() {
		low.Add(low, big.NewInt(1))
	}
	near, _ := at.Float64()
	b.above = max(b.above, near)
	switch {
	case low.IsInt64():
		b.low = max(b.low, low.Int64())
	case low.Sign() > 0:
		b.noInteger()
	}
}

func (b *bounds) upper(at *big.Rat, inclusive bool) {
	if at == nil {
		return
	}
	high := floor(at)
	if !inclusive && at.IsInt() {
		high.Sub(high, big.NewInt(1))
	}
	near, _ := at.Float64()
	b.below = min(b.below, near)
	switch {
	case high.IsInt64():
		b.high = min(b.high, high.Int64())
	case high.Sign() < 0:
		b.noInteger()
	}
}

func floor(r *big.Rat) *big.Int {
	return new(big.Int).Div(r.Num(), r.Denom()) // rounds down, since the denominator is positive
}

// noInteger is within b that an int64 could be.
func (b *bounds) noInteger() { b.low, b.high = math.MaxInt64, math.MinInt64 }
