package mongostore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// Rebuild implements store.Analytics. It compares, in one snapshot, what the events say
// with what the counters and aggregates say together with what is pending, and then adds
// the differences. Writers need not wait: what they do after the snapshot is added to the
// same documents. The snapshot lasts five minutes, unless the server's
// minSnapshotHistoryWindowInSeconds says otherwise; a larger store gives an error.
func (s *Store) Rebuild(ctx context.Context) (differed int, err error) {
	ticket, err := s.startRebuild(ctx)
	if err != nil {
		return 0, failed(err, "rebuild counters and aggregates")
	}
	var wrong differences
	err = s.snapshot(ctx, func(ctx context.Context) (err error) {
		wrong, err = s.compare(ctx)
		return err
	})
	if hasCode(err, codeSnapshotTooOld) {
		err = fmt.Errorf("it takes longer than the server keeps a snapshot: raise its minSnapshotHistoryWindowInSeconds: %w", err)
	}
	if err == nil {
		err = s.correct(ctx, ticket, &wrong)
	}
	if err != nil {
		return 0, failed(err, "rebuild counters and aggregates")
	}
	return len(wrong.counters) + len(wrong.subjects), nil
}

// differences between what the events say and what is kept.
type differences struct {
	counters map[counterKey]int64 // what is missing
	subjects []subjectKey         // of aggregates that are not right
	asked    []string             // the stored types that ask for aggregates
}

var errOtherRebuild = errors.New("another rebuild has started")

// startRebuild takes a ticket. A rebuild whose ticket is not the last one corrects
// nothing: two of them would correct the same difference twice.
func (s *Store) startRebuild(ctx context.Context) (ticket int64, err error) {
	var d struct {
		Ticket int64 `bson:"ticket"`
	}
	o := options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)
	err = s.collection(collState).FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: "rebuild"}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "ticket", Value: int64(1)}}}}, o).Decode(&d)
	return d.Ticket, err
}

// hold makes a transaction fail if the ticket is not the last one, or ceases to be.
func (s *Store) hold(ctx context.Context, ticket int64) error {
	r, err := s.collection(collState).UpdateOne(ctx, bson.D{{Key: "_id", Value: "rebuild"}, {Key: "ticket", Value: ticket}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "corrections", Value: int64(1)}}}})
	if err == nil && r.MatchedCount == 0 {
		err = errOtherRebuild
	}
	return err
}

// compare is called in a snapshot.
func (s *Store) compare(ctx context.Context) (differences, error) {
	var wrong differences
	pending, err := s.pending(ctx)
	if err != nil {
		return wrong, err
	}
	if wrong.counters, err = s.missingCounts(ctx, pending); err != nil {
		return wrong, err
	}
	var types []string
	if err := s.collection(collEvents).Distinct(ctx, "type", bson.D{}).Decode(&types); err != nil {
		return wrong, err
	}
	wrong.asked = slices.DeleteFunc(types, func(t string) bool { return !s.aggregate(t) })
	wrong.subjects, err = s.wrongAggregates(ctx, wrong.asked, pending)
	return wrong, err
}

// missingCounts are the counts by the events less the counts that are kept.
func (s *Store) missingCounts(ctx context.Context, pending *delta) (map[counterKey]int64, error) {
	missing := make(map[counterKey]int64)
	group := bson.D{{Key: "$group", Value: bson.D{
		{Key: "_id", Value: bson.D{
			{Key: "hour", Value: bson.D{{Key: "$dateTrunc", Value: bson.D{{Key: "date", Value: "$" + fieldTime}, {Key: "unit", Value: "hour"}}}}},
			{Key: "tenant", Value: "$tenantid"},
			{Key: "type", Value: "$type"},
		}},
		{Key: "count", Value: bson.D{{Key: "$sum", Value: int64(1)}}},
	}}}
	cur, err := s.collection(collEvents).Aggregate(ctx, bson.A{group}, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return nil, err
	}
	defer cur.Close(ctx)
	for cur.Next(ctx) {
		var d struct {
			ID struct {
				Hour   bson.DateTime `bson:"hour"`
				Tenant bson.RawValue `bson:"tenant"`
				Type   string        `bson:"type"`
			} `bson:"_id"`
			Count int64 `bson:"count"`
		}
		if err := cur.Decode(&d); err != nil {
			return nil, err
		}
		missing[counterKey{hourOf(int64(d.ID.Hour)), attributeText(d.ID.Tenant), d.ID.Type}] += d.Count
	}
	if err := cur.Err(); err != nil {
		return nil, err
	}
	for k, n := range pending.counters {
		missing[k] -= n
	}
	err = s.eachCounter(ctx, bson.D{}, func(k counterKey, n int64) { missing[k] -= n })
	maps.DeleteFunc(missing, func(_ counterKey, n int64) bool { return n == 0 })
	return missing, err
}

// attributeText is the canonical string form of an attribute.
func attributeText(v bson.RawValue) string {
	if s, ok := v.StringValueOK(); ok {
		return s
	}
	if v.Type == 0 || v.Type == bson.TypeNull {
		return ""
	}
	return string(appendValue(nil, bsoncore.Type(v.Type), v.Value))
}

// correct adds the missing counts in one transaction, and makes each wrong aggregate anew
// in one of its own.
func (s *Store) correct(ctx context.Context, ticket int64, wrong *differences) error {
	if len(wrong.counters) > 0 {
		err := s.retried(ctx, func(ctx context.Context) error {
			if err := s.hold(ctx, ticket); err != nil {
				return err
			}
			return s.apply(ctx, &delta{counters: wrong.counters})
		})
		if err != nil {
			return err
		}
	}
	for _, k := range wrong.subjects {
		if err := s.retried(ctx, func(ctx context.Context) error { return s.replaceAggregate(ctx, k, wrong.asked) }); err != nil {
			return err
		}
	}
	return nil
}

// retried runs a transaction again while others change the same documents.
func (s *Store) retried(ctx context.Context, do func(ctx context.Context) error) error {
	session, err := s.client.StartSession()
	if err != nil {
		return err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) { return nil, do(ctx) },
		options.Transaction().SetReadConcern(readconcern.Snapshot()))
	return err
}
