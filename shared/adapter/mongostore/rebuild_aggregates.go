package mongostore

import (
	"context"
	"errors"
	"maps"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// wrongAggregates compares the aggregates of the events with those that are kept. Both
// come in the order of their keys, so that neither need be in memory as a whole.
func (s *Store) wrongAggregates(ctx context.Context, asked []string, pending *delta) ([]subjectKey, error) {
	want, err := s.sumUpEvents(ctx, asked)
	if err != nil {
		return nil, err
	}
	defer want.cur.Close(ctx)
	have, err := s.keptAggregates(ctx)
	if err != nil {
		return nil, err
	}
	defer have.cur.Close(ctx)
	var wrong []subjectKey
	want.next(ctx)
	have.next(ctx)
	for want.sum != nil || have.sum != nil {
		k := want.key
		if want.sum == nil || have.sum != nil && have.key.compare(k) < 0 {
			k = have.key
		}
		events, kept := want.take(ctx, k), have.take(ctx, k)
		if p := pending.aggregates[k]; p != nil {
			kept.add(p)
		}
		if !kept.equal(events) {
			wrong = append(wrong, k)
		}
	}
	return wrong, errors.Join(want.err, have.err)
}

// aggregateCursor reads aggregates in the order of their keys.
type aggregateCursor struct {
	cur   *mongo.Cursor
	parse func(*mongo.Cursor) (subjectKey, *summary, error)

	key subjectKey
	sum *summary // nil at the end
	err error
}

func (c *aggregateCursor) next(ctx context.Context) {
	c.sum = nil
	if c.err == nil && c.cur.Next(ctx) {
		c.key, c.sum, c.err = c.parse(c.cur)
	}
	if c.err == nil {
		c.err = c.cur.Err()
	}
	if c.err != nil {
		c.sum = nil
	}
}

// take returns the aggregate of k, empty where this is not the next one.
func (c *aggregateCursor) take(ctx context.Context, k subjectKey) *summary {
	if c.sum == nil || c.key != k {
		return &summary{byType: make(map[string]int64)}
	}
	sum := c.sum
	c.next(ctx)
	return sum
}

func (s *Store) keptAggregates(ctx context.Context) (*aggregateCursor, error) {
	cur, err := s.collection(collAggregates).Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	return &aggregateCursor{cur: cur, parse: func(cur *mongo.Cursor) (subjectKey, *summary, error) {
		var d aggregateDoc
		if err := cur.Decode(&d); err != nil {
			return subjectKey{}, nil, err
		}
		k, sum := d.parse()
		return k, sum, nil
	}}, err
}

// sumUpEvents aggregates all events of the types.
func (s *Store) sumUpEvents(ctx context.Context, types []string) (*aggregateCursor, error) {
	if types == nil {
		types = []string{}
	}
	field := func(name string) string { return "$" + name }
	byType := bson.D{
		{Key: "_id", Value: bson.D{
			{Key: "source", Value: "$source"},
			{Key: "subject", Value: bson.D{{Key: "$ifNull", Value: bson.A{"$subject", ""}}}},
			{Key: "type", Value: "$type"},
		}},
		{Key: "count", Value: bson.D{{Key: "$sum", Value: int64(1)}}},
		{Key: "first", Value: bson.D{{Key: "$min", Value: field(fieldTime)}}},
		{Key: "latest", Value: bson.D{{Key: "$max", Value: bson.D{
			{Key: "time", Value: field(fieldTime)}, {Key: "id", Value: "$id"}, {Key: "type", Value: "$type"},
		}}}},
	}
	bySubject := bson.D{
		{Key: "_id", Value: bson.D{{Key: "source", Value: "$_id.source"}, {Key: "subject", Value: "$_id.subject"}}},
		{Key: "first", Value: bson.D{{Key: "$min", Value: "$first"}}},
		{Key: "latest", Value: bson.D{{Key: "$max", Value: "$latest"}}},
		{Key: "types", Value: bson.D{{Key: "$push", Value: bson.D{{Key: "type", Value: "$_id.type"}, {Key: "count", Value: "$count"}}}}},
	}
	pipeline := bson.A{
		bson.D{{Key: "$match", Value: bson.D{{Key: "type", Value: bson.D{{Key: "$in", Value: types}}}}}},
		bson.D{{Key: "$group", Value: byType}},
		bson.D{{Key: "$group", Value: bySubject}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
	}
	cur, err := s.collection(collEvents).Aggregate(ctx, pipeline, options.Aggregate().SetAllowDiskUse(true))
	return &aggregateCursor{cur: cur, parse: parseGroup}, err
}

func parseGroup(cur *mongo.Cursor) (subjectKey, *summary, error) {
	var d struct {
		ID struct {
			Source  string `bson:"source"`
			Subject string `bson:"subject"`
		} `bson:"_id"`
		First  bson.DateTime `bson:"first"`
		Latest latestDoc     `bson:"latest"`
		Types  []struct {
			Type  string `bson:"type"`
			Count int64  `bson:"count"`
		} `bson:"types"`
	}
	if err := cur.Decode(&d); err != nil {
		return subjectKey{}, nil, err
	}
	sum := &summary{first: int64(d.First), latest: d.Latest.parse(), byType: make(map[string]int64, len(d.Types))}
	for _, t := range d.Types {
		sum.byType[t.Type] = t.Count
		sum.version += t.Count
	}
	return subjectKey{d.ID.Source, d.ID.Subject}, sum, nil
}

// equal compares aggregates; one without events equals any other without.
func (s *summary) equal(o *summary) bool {
	if s.version == 0 || o.version == 0 {
		return s.version == o.version
	}
	return s.version == o.version && s.first == o.first && s.latest == o.latest && maps.Equal(s.byType, o.byType)
}

// replaceAggregate makes the aggregate of k from the events of the types. It is called in
// a transaction.
func (s *Store) replaceAggregate(ctx context.Context, k subjectKey, types []string) error {
	pending, err := s.pending(ctx)
	if err != nil {
		return err
	}
	subject := any(k.subject)
	if k.subject == "" {
		subject = nil // matches what is absent too
	}
	filter := bson.D{{Key: "source", Value: k.source}, {Key: "subject", Value: subject}, {Key: "type", Value: bson.D{{Key: "$in", Value: types}}}}
	d := newDelta()
	err = s.eachEvent(ctx, filter, func(e *event.Event, ms int64) { d.add(e, ms, true) })
	if err != nil {
		return err
	}
	sum := d.summary(k)
	if p := pending.aggregates[k]; p != nil { // it is added when it is folded
		sum.version -= p.version
		for typ, n := range p.byType {
			sum.byType[typ] -= n
		}
		maps.DeleteFunc(sum.byType, func(_ string, n int64) bool { return n == 0 })
	}
	id := bson.D{{Key: "_id", Value: k.id()}}
	if sum.version == 0 {
		_, err = s.collection(collAggregates).DeleteOne(ctx, id)
	} else {
		_, err = s.collection(collAggregates).ReplaceOne(ctx, id, sum.document(k), options.Replace().SetUpsert(true))
	}
	return err
}
