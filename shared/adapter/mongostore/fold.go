package mongostore

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// When a process folds, and how much. A change of a counter costs mongod as much as
// storing an event does, and batches mostly change the same counters: summed up over many
// of them it is a change in a thousand events.
const (
	foldEvery   = 64              // batches that the process has completed
	foldAfter   = 4 << 20         // or so many bytes of them
	foldBytes   = 2 * foldAfter   // at once; more, of other processes, wait for the next time
	foldTimeout = 5 * time.Second // what a writer does for the others
)

// errFolded: another process folds the same batches.
var errFolded = errors.New("the batches are being folded elsewhere")

// foldSometimes is called when a batch of a size has been completed. It folds after the
// process's first batch, whatever others have left, and from then on as the constants
// say. Whatever fails here is left for the next time: counters and aggregates are exact
// without it.
func (s *Store) foldSometimes(ctx context.Context, size int) {
	n, bytes := s.completed.Add(1), s.completedBytes.Add(int64(size))
	if n%foldEvery != 1 && bytes < foldAfter {
		return
	}
	s.completedBytes.Store(0)
	ctx, cancel := context.WithTimeout(ctx, foldTimeout)
	defer cancel()
	_ = s.recover(ctx)
	_ = s.fold(ctx)
}

// fold adds completed batches to the counters and aggregates and deletes them, in one
// transaction.
func (s *Store) fold(ctx context.Context) error {
	ids, sum, err := s.foldable(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	return s.transaction(ctx, func(ctx context.Context) error {
		these := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
		r, err := s.collection(collBatches).DeleteMany(ctx, these)
		if err == nil && r.DeletedCount != int64(len(ids)) {
			err = errFolded
		}
		if err != nil {
			return err
		}
		return s.apply(ctx, sum)
	})
}

// foldable are completed batches and their sum.
func (s *Store) foldable(ctx context.Context) (ids []bson.ObjectID, sum *delta, err error) {
	complete := bson.D{{Key: "keys", Value: bson.D{{Key: "$exists", Value: false}}}}
	cur, err := s.collection(collBatches).Find(ctx, complete, options.Find().SetBatchSize(foldEvery))
	if err != nil {
		return nil, nil, err
	}
	defer cur.Close(ctx)
	sum = newDelta()
	for size := 0; size < foldBytes && cur.Next(ctx); size += len(cur.Current) {
		var b batch
		if err := cur.Decode(&b); err != nil {
			return nil, nil, err
		}
		ids = append(ids, b.ID)
		sum.merge(b.delta())
	}
	return ids, sum, cur.Err()
}

// apply adds d to the collections counters and aggregates. It is called in a transaction.
func (s *Store) apply(ctx context.Context, d *delta) error {
	var changes []mongo.WriteModel
	for _, k := range d.counterKeys() {
		changes = append(changes, mongo.NewUpdateOneModel().SetUpsert(true).
			SetFilter(bson.D{{Key: "_id", Value: k.id()}}).
			SetUpdate(bson.D{{Key: "$inc", Value: bson.D{{Key: "count", Value: d.counters[k]}}}}))
	}
	if err := bulk(ctx, s.collection(collCounters), changes); err != nil {
		return err
	}
	changes = nil
	for _, k := range d.subjectKeys() {
		changes = append(changes, d.aggregates[k].changes(k)...)
	}
	return bulk(ctx, s.collection(collAggregates), changes)
}

// changes add s to the aggregate of k: one for all but the latest event, and one that
// replaces that by a later one.
func (s *summary) changes(k subjectKey) []mongo.WriteModel {
	id := bson.E{Key: "_id", Value: k.id()}
	inc := bson.D{{Key: "version", Value: s.version}}
	for typ, n := range s.byType {
		inc = append(inc, bson.E{Key: "types." + fieldName(typ), Value: n})
	}
	latest := s.latest.document()
	add := bson.D{
		{Key: "$inc", Value: inc},
		{Key: "$min", Value: bson.D{{Key: "first", Value: bson.DateTime(s.first)}}},
		{Key: "$setOnInsert", Value: bson.D{
			{Key: "source", Value: k.source}, {Key: "subject", Value: k.subject}, {Key: "latest", Value: latest},
		}},
	}
	earlier := bson.D{id, {Key: "latest", Value: bson.D{{Key: "$lt", Value: latest}}}}
	return []mongo.WriteModel{
		mongo.NewUpdateOneModel().SetUpsert(true).SetFilter(bson.D{id}).SetUpdate(add),
		mongo.NewUpdateOneModel().SetFilter(earlier).SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "latest", Value: latest}}}}),
	}
}

// bulk runs the changes in their order.
func bulk(ctx context.Context, c *mongo.Collection, changes []mongo.WriteModel) error {
	if len(changes) == 0 {
		return nil
	}
	_, err := c.BulkWrite(ctx, changes, options.BulkWrite().SetOrdered(true))
	return err
}

// transaction runs do once, in a transaction that is not waited for: it is atomic, and
// all that is lost with its server is lost together.
func (s *Store) transaction(ctx context.Context, do func(ctx context.Context) error) error {
	session, err := s.client.StartSession()
	if err != nil {
		return err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	ctx = mongo.NewSessionContext(ctx, session)
	if err := session.StartTransaction(options.Transaction().SetWriteConcern(writeconcern.W1())); err != nil {
		return err
	}
	if err := do(ctx); err != nil {
		return errors.Join(err, session.AbortTransaction(context.WithoutCancel(ctx)))
	}
	return session.CommitTransaction(ctx)
}
