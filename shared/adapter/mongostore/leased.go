package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Events that are leased and not stored. Whether an event is stored is asked of the
// collection events; that leases have it too only keeps the listed ones few. So Write needs
// no transaction, and nothing goes wrong when its note of it is lost.

// markStored takes the events out of the listing of leases. Where no event is only leased,
// as without handlers that have effects, it costs one look at an empty index.
func (s *Store) markStored(ctx context.Context, events []event.Event, places []int) {
	leases := s.collection(collLeases)
	unstored := (&criteria{}).leasedMatch()
	err := leases.FindOne(ctx, unstored, options.FindOne().SetProjection(bson.D{{Key: "_id", Value: 1}})).Err()
	if err != nil {
		return
	}
	these := append(bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keysOf(events, places)}}}}, notStored...)
	_, _ = leases.UpdateMany(ctx, these, bson.D{{Key: "$set", Value: bson.D{{Key: "stored", Value: true}, {Key: "event", Value: ""}}}})
}

// leasedHits are the first n events of the listing that are only leased.
func (s *Store) leasedHits(ctx context.Context, c *criteria, n int) ([]hit, error) {
	from := &source{collLeases, c.leasedIndex(), []bson.D{c.leasedMatch()}, c.lo, c.hi}
	var hits []hit
	for after := c.after; ; {
		docs, err := s.first(ctx, from, after, n)
		if err != nil || len(docs) == 0 {
			return hits, err
		}
		stored, err := s.storedKeys(ctx, idsOf(docs))
		if err != nil {
			return nil, err
		}
		for _, raw := range docs {
			p := positionOf(raw)
			if after = &p; stored.has(p.Key) {
				continue
			}
			rec, err := leasedRecordOf(raw)
			if err != nil {
				return nil, err
			}
			if hits = append(hits, hit{p, rec}); len(hits) == n {
				return hits, nil
			}
		}
		if len(docs) < n {
			return hits, nil
		}
	}
}

func idsOf(docs []bson.Raw) []string {
	ids := make([]string, len(docs))
	for i, d := range docs {
		ids[i] = d.Lookup(fieldID).StringValue()
	}
	return ids
}

func leasedRecordOf(raw bson.Raw) (store.Record, error) {
	var d leaseDoc
	if err := bson.Unmarshal(raw, &d); err != nil {
		return store.Record{}, err
	}
	return d.record()
}

func (d *leaseDoc) record() (store.Record, error) {
	e, err := event.Parse([]byte(d.Event))
	if err != nil {
		return store.Record{}, fmt.Errorf("event of lease %q: %w", d.ID, err)
	}
	rec := store.Record{Event: e, Status: d.Status, Received: e.Received()}
	if d.Status != store.Completed {
		l := d.lease()
		rec.Lease = &l
	}
	return rec, nil
}

// leasedRecord is the event as its lease has it, unless it is stored.
func (s *Store) leasedRecord(ctx context.Context, key event.Key) (rec store.Record, isStored, ok bool, err error) {
	var d leaseDoc
	err = s.collection(collLeases).FindOne(ctx, bson.D{{Key: "_id", Value: keyOf(key)}}).Decode(&d)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return store.Record{}, false, false, nil
	case err != nil || d.Stored:
		return store.Record{}, d.Stored, err == nil, err
	}
	rec, err = d.record()
	return rec, false, err == nil, err
}
