package mongostore

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// maxPage bounds the memory of a page, whatever limit the caller gives.
const maxPage = 10_000

// List implements store.Reader. It reads the leased events before the stored ones: one
// that is stored in between is then found twice, not missed.
func (s *Store) List(ctx context.Context, f store.Filter, limit int, cursor string) (store.Page, error) {
	if limit < 1 {
		return store.Page{}, fmt.Errorf("list events: the limit is %d, want at least 1", limit)
	}
	limit = min(limit, maxPage)
	c, err := newCriteria(f, cursor)
	if err != nil {
		return store.Page{}, err
	}
	hits, err := s.leasedHits(ctx, c, limit+1) // one more, to know whether there is a next page
	if err != nil {
		return store.Page{}, failed(err, "list events")
	}
	if c.stored() {
		stored, err := s.storedHits(ctx, c, limit+1)
		if err != nil {
			return store.Page{}, failed(err, "list events")
		}
		hits = slices.DeleteFunc(hits, func(h hit) bool { return contains(stored, h.Key) })
		hits = append(hits, stored...)
	}
	slices.SortFunc(hits, hit.compare)
	return c.page(hits, limit), nil
}

func (c *criteria) page(hits []hit, limit int) store.Page {
	var page store.Page
	if len(hits) > limit {
		hits = hits[:limit]
		page.Next = c.Cursor(hits[limit-1].Position)
	}
	for _, h := range hits {
		page.Records = append(page.Records, h.record)
	}
	return page
}

// hit is an event that matches, in its place.
type hit struct {
	store.Position
	record store.Record
}

func (h hit) compare(o hit) int { return h.Compare(o.Position) }

func contains(hits []hit, k event.Key) bool {
	return slices.ContainsFunc(hits, func(h hit) bool { return h.Key == k })
}

func (s *Store) storedHits(ctx context.Context, c *criteria, n int) ([]hit, error) {
	matches, err := s.storedMatches(ctx, c)
	if err != nil {
		return nil, err
	}
	docs, err := s.first(ctx, &source{collEvents, nil, matches, c.lo, c.hi}, c.after, n)
	if err != nil {
		return nil, err
	}
	hits := make([]hit, len(docs))
	for i, raw := range docs {
		doc, err := parseDocument(raw)
		if err != nil {
			return nil, err
		}
		hits[i] = hit{doc.position(), doc.record()}
	}
	return hits, nil
}

// source is what a listing reads: the documents of a collection that match one of several
// conditions, with times in [lo, hi).
type source struct {
	collection string
	hint       any // an index; nil: the server chooses
	matches    []bson.D
	lo, hi     int64
}

// first finds the first n documents after a position, in the order of listings. The index
// has them in the order of time alone. Documents of one millisecond are put in order here,
// or by the server where only some of them are wanted.
func (s *Store) first(ctx context.Context, from *source, after *store.Position, n int) ([]bson.Raw, error) {
	var out []bson.Raw
	hi := from.hi
	if after != nil {
		at := after.Time.UnixMilli()
		if at >= from.lo && at < from.hi {
			var err error
			if out, err = s.ofMoment(ctx, from, at, after, n); err != nil || len(out) == n {
				return out, err
			}
		}
		hi = min(hi, at)
	}
	rest := n - len(out)
	docs, err := s.newest(ctx, from, hi, rest+1)
	if err != nil {
		return nil, err
	}
	if len(docs) > rest {
		at := millisOf(docs[rest])
		docs = docs[:rest]
		if millisOf(docs[rest-1]) == at { // there are more of this millisecond than fit
			docs = slices.DeleteFunc(docs, func(d bson.Raw) bool { return millisOf(d) == at })
			last, err := s.ofMoment(ctx, from, at, nil, rest-len(docs))
			if err != nil {
				return nil, err
			}
			docs = append(docs, last...)
		}
	}
	slices.SortFunc(docs, compareDocuments)
	return append(out, docs...), nil
}

// newest finds the first n documents before the time hi, those of one millisecond in any
// order.
func (s *Store) newest(ctx context.Context, from *source, hi int64, n int) ([]bson.Raw, error) {
	var all []bson.Raw
	for _, m := range from.matches {
		docs, err := s.find(ctx, from, during(m, from.lo, hi), byTime, n)
		if err != nil {
			return nil, err
		}
		all = append(all, docs...)
		slices.SortFunc(all, func(a, b bson.Raw) int { return cmp.Compare(millisOf(b), millisOf(a)) })
		all = all[:min(n, len(all))]
	}
	return all, nil
}

// ofMoment finds the first n documents of one millisecond that come after a position.
func (s *Store) ofMoment(ctx context.Context, from *source, at int64, after *store.Position, n int) ([]bson.Raw, error) {
	var all []bson.Raw
	for _, m := range from.matches {
		m = append(slices.Clone(m), bson.E{Key: fieldTime, Value: bson.DateTime(at)})
		if after != nil {
			m = append(m, keyAfter(after))
		}
		docs, err := s.find(ctx, from, m, byKey, n)
		if err != nil {
			return nil, err
		}
		all = append(all, docs...)
		slices.SortFunc(all, compareDocuments)
		all = all[:min(n, len(all))]
	}
	return all, nil
}

var (
	byTime = bson.D{{Key: fieldTime, Value: -1}}
	byKey  = bson.D{{Key: "source", Value: -1}, {Key: "id", Value: -1}}
)

// keyAfter is the condition that a key is listed after a position of the same time.
func keyAfter(p *store.Position) bson.E {
	less := func(field, value string) bson.D {
		return bson.D{{Key: field, Value: bson.D{{Key: "$lt", Value: value}}}}
	}
	return bson.E{Key: "$or", Value: bson.A{
		less("source", p.Key.Source),
		append(bson.D{{Key: "source", Value: p.Key.Source}}, less("id", p.Key.ID)...),
	}}
}

func (s *Store) find(ctx context.Context, from *source, filter, sort bson.D, n int) ([]bson.Raw, error) {
	o := options.Find().SetSort(sort).SetLimit(int64(n))
	if from.hint != nil {
		o.SetHint(from.hint)
	}
	cur, err := s.collection(from.collection).Find(ctx, filter, o)
	if err != nil {
		return nil, err
	}
	defer cur.Close(ctx)
	var docs []bson.Raw
	for cur.Next(ctx) {
		docs = append(docs, slices.Clone(cur.Current))
	}
	return docs, cur.Err()
}

func millisOf(doc bson.Raw) int64 { return timeField(doc, fieldTime).UnixMilli() }

func compareDocuments(a, b bson.Raw) int { return positionOf(a).Compare(positionOf(b)) }

// positionOf a document of an event or of a lease.
func positionOf(doc bson.Raw) store.Position {
	return store.Position{Time: timeField(doc, fieldTime), Key: parseKey(doc.Lookup(fieldID).StringValue())}
}
