package store

import (
	"math"
	"slices"
	"strings"

	"github.com/millrace-pipeline/millrace/shared/store"
)

// criteria are a filter and a place in its listing, ready to be applied.
type criteria struct {
	store.Filter
	lo, hi int64           // times in [lo, hi)
	after  *store.Position // only what is listed after it; nil for all
	terms  []uint32
	tests  []test
}

// test of one attribute.
type test struct {
	attribute attribute
	accept    func(value string) bool
}

func newCriteria(f store.Filter, cursor string) (*criteria, error) {
	c := &criteria{Filter: f, lo: math.MinInt64, hi: math.MaxInt64, terms: filterTerms(f), tests: tests(f)}
	if !f.From.IsZero() {
		c.lo = f.From.UnixMilli()
	}
	if !f.To.IsZero() {
		c.hi = f.To.UnixMilli()
	}
	if cursor != "" {
		p, err := f.ParseCursor(cursor)
		if err != nil {
			return nil, err
		}
		c.after = &p
		c.hi = min(c.hi, p.Time.UnixMilli()+1)
	}
	return c, nil
}

// tests of f, those first that usually accept the fewest.
func tests(f store.Filter) []test {
	var out []test
	is := func(a attribute, want string) {
		if want != "" {
			out = append(out, test{a, func(v string) bool { return v == want }})
		}
	}
	is(bySubject, f.Subject)
	is(byUser, f.User)
	is(bySource, f.Source)
	is(byTenant, f.Tenant)
	if prefix, ok := f.TypePrefix(); ok {
		out = append(out, test{byType, func(v string) bool { return strings.HasPrefix(v, prefix) }})
	} else {
		is(byType, f.Type)
	}
	return out
}

// stored reports whether stored events can match: all of them are COMPLETED.
func (c *criteria) stored() bool { return c.Status == "" || c.Status == store.Completed }

// match finds the events of a segment that pass the tests and the times, in their order.
func (c *criteria) match(cols *columns) (hits []int, times []int64, err error) {
	hits = make([]int, cols.count)
	for i := range hits {
		hits[i] = i
	}
	for _, t := range c.tests {
		if hits, err = t.narrow(cols, hits); err != nil || len(hits) == 0 {
			return nil, nil, err
		}
	}
	if times, err = cols.times(); err != nil {
		return nil, nil, err
	}
	hits = slices.DeleteFunc(hits, func(i int) bool { return times[i] < c.lo || times[i] >= c.hi })
	return hits, times, nil
}

// narrow keeps the hits that t accepts.
func (t *test) narrow(cols *columns, hits []int) ([]int, error) {
	col, err := cols.column(t.attribute)
	if err != nil {
		return nil, err
	}
	accepted := make([]bool, len(col.values))
	for code, v := range col.values {
		accepted[code] = t.accept(v)
	}
	return slices.DeleteFunc(hits, func(i int) bool { return !accepted[col.codes[i]] }), nil
}
