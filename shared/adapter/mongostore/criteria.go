package mongostore

import (
	"context"
	"math"
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/millrace-pipeline/millrace/shared/store"
)

// criteria are a filter and a place in its listing, ready to be applied.
type criteria struct {
	store.Filter
	lo, hi int64           // times in [lo, hi), Unix milliseconds
	after  *store.Position // only what is listed after it; nil for all
}

func newCriteria(f store.Filter, cursor string) (*criteria, error) {
	c := &criteria{Filter: f, lo: math.MinInt64, hi: math.MaxInt64}
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
	}
	return c, nil
}

// stored reports whether stored events can match: all of them are COMPLETED.
func (c *criteria) stored() bool { return c.Status == "" || c.Status == store.Completed }

var statuses = []store.Status{store.Pending, store.Processing, store.Completed, store.Failed}

// leasedMatch is the condition for leased events, without the time.
func (c *criteria) leasedMatch() bson.D {
	m := slices.Clone(notStored)
	if c.Status != "" {
		m = append(m, bson.E{Key: "status", Value: c.Status})
	} else if c.Tenant == "" && c.Subject == "" && c.User == "" && c.exactType() == "" {
		m = append(m, bson.E{Key: "status", Value: bson.D{{Key: "$in", Value: statuses}}})
	}
	m = c.attributes(m, func(v string) any { return v })
	if prefix, ok := c.TypePrefix(); ok {
		m = append(m, bson.E{Key: "type", Value: prefixRange(prefix)})
	}
	return m
}

// leasedIndex names the index for the attribute that usually selects the fewest. The server
// would at times take the one for Reset, and sort in memory.
func (c *criteria) leasedIndex() string {
	field := "status"
	switch {
	case c.Subject != "":
		field = "subject"
	case c.User != "":
		field = "userid"
	case c.Tenant != "":
		field = "tenantid"
	case c.exactType() != "":
		field = "type"
	}
	return (&index{keys: []string{field, fieldTime}}).name()
}

// storedMatches are the conditions for stored events, without the time: together they
// select the events, and no two of them the same one. Each has an equality or a list on
// the first field of an index, so that the server reads in the order of time.
func (s *Store) storedMatches(ctx context.Context, c *criteria) ([]bson.D, error) {
	m := c.attributes(bson.D{}, attributeValue)
	if c.Tenant != "" || c.Subject != "" || c.User != "" || c.exactType() != "" {
		if prefix, ok := c.TypePrefix(); ok {
			m = append(m, bson.E{Key: "type", Value: prefixRange(prefix)})
		}
		return []bson.D{m}, nil
	}
	types, err := s.types(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []bson.D
	for some := range slices.Chunk(types, maxMerged) {
		all = append(all, append(slices.Clone(m), bson.E{Key: "type", Value: bson.D{{Key: "$in", Value: some}}}))
	}
	return all, nil
}

// maxMerged is how many values of a list the server is given to merge by time; beyond 200
// it sorts in memory instead (internalQueryMaxScansToExplode).
const maxMerged = 100

// types are those of the stored events that begin with the filter's prefix, or all. The
// server jumps from one to the next in the index.
func (s *Store) types(ctx context.Context, c *criteria) ([]string, error) {
	filter := bson.D{}
	if prefix, ok := c.TypePrefix(); ok {
		filter = bson.D{{Key: "type", Value: prefixRange(prefix)}}
	}
	var types []string
	err := s.collection(collEvents).Distinct(ctx, "type", filter).Decode(&types)
	return types, err
}

func (c *criteria) exactType() string {
	if _, ok := c.TypePrefix(); ok {
		return ""
	}
	return c.Type
}

// attributes appends the conditions that are equalities.
func (c *criteria) attributes(m bson.D, value func(string) any) bson.D {
	is := func(field, want string, value func(string) any) {
		if want != "" {
			m = append(m, bson.E{Key: field, Value: value(want)})
		}
	}
	text := func(v string) any { return v }
	is("subject", c.Subject, text)
	is("userid", c.User, value)
	is("tenantid", c.Tenant, value)
	is("type", c.exactType(), text)
	is("source", c.Source, text)
	return m
}

// attributeValue matches an extension whose canonical string form is v: a producer may
// have given it as a number or a boolean (CloudEvents 1.0.2, section 3.1 Type System).
func attributeValue(v string) any {
	other := any(nil)
	if n, err := strconv.ParseInt(v, 10, 32); err == nil && strconv.FormatInt(n, 10) == v {
		other = int32(n)
	} else if v == "true" || v == "false" {
		other = v == "true"
	}
	if other == nil {
		return v
	}
	return bson.D{{Key: "$in", Value: bson.A{v, other}}}
}

// prefixRange matches what begins with a prefix that ends in a dot.
func prefixRange(prefix string) bson.D {
	end := prefix[:len(prefix)-1] + "/" // "/" comes after "."
	return bson.D{{Key: "$gte", Value: prefix}, {Key: "$lt", Value: end}}
}

// during adds the condition that the time is in [lo, hi).
func during(m bson.D, lo, hi int64) bson.D {
	var r bson.D
	if lo != math.MinInt64 {
		r = append(r, bson.E{Key: "$gte", Value: bson.DateTime(lo)})
	}
	if hi != math.MaxInt64 {
		r = append(r, bson.E{Key: "$lt", Value: bson.DateTime(hi)})
	}
	if r == nil {
		return m
	}
	return append(slices.Clone(m), bson.E{Key: fieldTime, Value: r})
}
