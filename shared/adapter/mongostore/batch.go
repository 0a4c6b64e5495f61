package mongostore

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// How counters and aggregates stay exact. A chunk of events is written in three steps:
//
//  1. begin: a document in batches has the keys of the chunk, acknowledged by a majority.
//  2. insert: the events, each with the batch's id in _b, acknowledged by a majority.
//     Those that were there already keep the _b of the batch that wrote them.
//  3. complete: the batch's document has, instead of the keys, what the new events add to
//     the counters and aggregates.
//
// An event is counted by the batch whose id it has: it can be counted neither twice nor
// never. Where a process ends between the steps, or does not learn what became of step 2,
// the keys and _b say what is new; the batch is then completed by whoever writes after
// recoverAfter. Completed batches are summed up by fold. Until then whoever reads counters
// or aggregates adds all that is in batches (snapshot.go).

// recoverAfter is when an incomplete batch's insert is taken to have ended: long after the
// server has stopped working on it (maxTimeout), so that the clocks of two writers may
// differ by a quarter of an hour.
const recoverAfter = 20 * time.Minute

// batch is a document of the collection batches.
type batch struct {
	ID   bson.ObjectID `bson:"_id"`
	At   time.Time     `bson:"at"`   // when it began
	Keys []string      `bson:"keys"` // absent when complete
	Asks []string      `bson:"asks"` // its types that ask for aggregates

	Counters   []counterDoc   `bson:"counters"`
	Aggregates []aggregateDoc `bson:"aggregates"`
}

func (b *batch) complete() bool { return b.Keys == nil }

func (b *batch) delta() *delta {
	d := newDelta()
	for i := range b.Counters {
		k, n := b.Counters[i].parse()
		d.counters[k] += n
	}
	for i := range b.Aggregates {
		k, s := b.Aggregates[i].parse()
		d.summary(k).add(s)
	}
	return d
}

// begin is step 1.
func (s *Store) begin(ctx context.Context, w *chunkWriter) error {
	i, doc := bsoncore.AppendDocumentStart(nil)
	doc = bsoncore.AppendObjectIDElement(doc, "_id", w.batch)
	doc = bsoncore.AppendDateTimeElement(doc, "at", w.stored.UnixMilli())
	doc = bsoncore.AppendArrayElement(doc, "asks", w.asksArray())
	doc = bsoncore.AppendArrayElement(doc, "keys", w.keys.finish())
	doc, err := bsoncore.AppendDocumentEnd(doc, i)
	if err != nil {
		return err
	}
	_, err = s.collection(collBatches).InsertOne(ctx, bson.Raw(doc))
	return err
}

// complete is step 3, and returns the size of what is to be folded. It is not waited for:
// lost with its server it leaves the batch incomplete, and so does an error, which costs
// nobody but a later reader anything.
func (s *Store) complete(ctx context.Context, id bson.ObjectID, d *delta) (size int, err error) {
	incomplete := bson.D{{Key: "_id", Value: id}, {Key: "keys", Value: exists}}
	batches := s.collection(collBatches, options.Collection().SetWriteConcern(writeconcern.W1()))
	if d.empty() {
		_, err := batches.DeleteOne(ctx, incomplete)
		return 0, err
	}
	doc, err := bson.Marshal(d.document(s.now()))
	if err != nil {
		return 0, err
	}
	_, err = batches.ReplaceOne(ctx, incomplete, bson.Raw(doc))
	return len(doc), err
}

// document is a completed batch without its id.
func (d *delta) document(at time.Time) bson.D {
	counters := make([]counterDoc, 0, len(d.counters))
	for _, k := range d.counterKeys() {
		counters = append(counters, k.document(d.counters[k]))
	}
	aggregates := make([]aggregateDoc, 0, len(d.aggregates))
	for _, k := range d.subjectKeys() {
		aggregates = append(aggregates, d.aggregates[k].document(k))
	}
	return bson.D{{Key: "at", Value: at}, {Key: "counters", Value: counters}, {Key: "aggregates", Value: aggregates}}
}

// recover completes what is incomplete since recoverAfter.
func (s *Store) recover(ctx context.Context) error {
	const atOnce = 16
	old := bson.D{{Key: "keys", Value: exists}, {Key: "at", Value: bson.D{{Key: "$lt", Value: s.now().Add(-recoverAfter)}}}}
	cur, err := s.collection(collBatches).Find(ctx, old, options.Find().SetLimit(atOnce))
	if err != nil {
		return err
	}
	var found []batch
	if err := cur.All(ctx, &found); err != nil {
		return err
	}
	var errs []error // each batch by itself
	for i := range found {
		d, err := s.written(ctx, &found[i])
		if err == nil {
			_, err = s.complete(ctx, found[i].ID, d)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// written is what an incomplete batch has added so far, by its events.
func (s *Store) written(ctx context.Context, b *batch) (*delta, error) {
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: b.Keys}}}, {Key: fieldBatch, Value: b.ID}}
	d := newDelta()
	err := s.eachEvent(ctx, filter, func(e *event.Event, ms int64) {
		d.add(e, ms, slices.Contains(b.Asks, e.Type()))
	})
	return d, err
}

// eachEvent calls fn for the stored events that match a filter, with their times.
func (s *Store) eachEvent(ctx context.Context, filter bson.D, fn func(e *event.Event, ms int64)) error {
	cur, err := s.collection(collEvents).Find(ctx, filter)
	if err != nil {
		return err
	}
	defer cur.Close(ctx)
	for cur.Next(ctx) {
		doc, err := parseDocument(slices.Clone(cur.Current))
		if err != nil {
			return err
		}
		fn(&doc.event, doc.time.UnixMilli())
	}
	return cur.Err()
}
