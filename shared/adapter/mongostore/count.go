package mongostore

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/shared/store"
)

// Count implements store.Reader.
func (s *Store) Count(ctx context.Context, f store.Filter) (int64, error) {
	c, err := newCriteria(f, "")
	if err != nil {
		return 0, err
	}
	n, err := s.countLeased(ctx, c)
	if err == nil && c.stored() {
		var stored int64
		stored, err = s.countStored(ctx, c)
		n += stored
	}
	if err != nil {
		return 0, failed(err, "count events")
	}
	return n, nil
}

func (s *Store) countStored(ctx context.Context, c *criteria) (int64, error) {
	matches, err := s.storedMatches(ctx, c)
	if err != nil {
		return 0, err
	}
	var n int64
	for _, m := range matches {
		some, err := s.collection(collEvents).CountDocuments(ctx, during(m, c.lo, c.hi))
		if err != nil {
			return 0, err
		}
		n += some
	}
	return n, nil
}

// countLeased counts leased events that are not stored; the server looks each of them up.
func (s *Store) countLeased(ctx context.Context, c *criteria) (int64, error) {
	pipeline := bson.A{
		bson.D{{Key: "$match", Value: during(c.leasedMatch(), c.lo, c.hi)}},
		bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 1}}}},
		bson.D{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: collEvents}, {Key: "localField", Value: "_id"}, {Key: "foreignField", Value: "_id"},
			{Key: "as", Value: "event"},
			{Key: "pipeline", Value: bson.A{bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 1}}}}}},
		}}},
		bson.D{{Key: "$match", Value: bson.D{{Key: "event", Value: bson.D{{Key: "$size", Value: 0}}}}}},
		bson.D{{Key: "$count", Value: "n"}},
	}
	cur, err := s.collection(collLeases).Aggregate(ctx, pipeline, options.Aggregate().SetHint(c.leasedIndex()))
	if err != nil {
		return 0, err
	}
	var counts []struct {
		N int64 `bson:"n"`
	}
	if err := cur.All(ctx, &counts); err != nil || len(counts) == 0 {
		return 0, err
	}
	return counts[0].N, nil
}
