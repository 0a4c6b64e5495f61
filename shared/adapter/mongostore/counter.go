package mongostore

import (
	"context"
	"maps"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/millrace-pipeline/millrace/shared/store"
)

// counterDoc is a document of the collection counters, and an entry of a batch.
type counterDoc struct {
	ID    counterID `bson:"_id"`
	Count int64     `bson:"count"`
}

// counterID orders counters by their hour: a range of it selects hours.
type counterID struct {
	Hour   bson.DateTime `bson:"hour"`
	Tenant string        `bson:"tenant"`
	Type   string        `bson:"type"`
}

func (k counterKey) id() counterID {
	return counterID{bson.DateTime(k.hour * msPerHour), k.tenant, k.typ}
}

func (k counterKey) document(n int64) counterDoc { return counterDoc{k.id(), n} }

func (d *counterDoc) parse() (counterKey, int64) {
	return counterKey{hourOf(int64(d.ID.Hour)), d.ID.Tenant, d.ID.Type}, d.Count
}

// Counters implements store.Analytics.
func (s *Store) Counters(ctx context.Context, tenant string, from, to time.Time) ([]store.Counter, error) {
	lo, hi := int64(math.MinInt64)/msPerHour, int64(math.MaxInt64)/msPerHour
	if !from.IsZero() {
		lo = hourOf(from.UnixMilli())
	}
	if !to.IsZero() { // hours that begin before to
		hi = hourOf(to.UnixMilli() + msPerHour - 1)
	}
	var sum *delta
	err := s.snapshot(ctx, func(ctx context.Context) (err error) {
		if sum, err = s.pending(ctx); err != nil {
			return err
		}
		return s.eachCounter(ctx, hourRange(lo, hi, tenant), func(k counterKey, n int64) { sum.counters[k] += n })
	})
	if err != nil {
		return nil, failed(err, "read counters")
	}
	maps.DeleteFunc(sum.counters, func(k counterKey, n int64) bool {
		return n == 0 || k.hour < lo || k.hour >= hi || tenant != "" && k.tenant != tenant
	})
	var out []store.Counter
	for _, k := range sum.counterKeys() {
		out = append(out, store.Counter{Hour: hourStart(k.hour), Tenant: k.tenant, Type: k.typ, Count: sum.counters[k]})
	}
	return out, nil
}

// hourRange selects the counters of the hours in [lo, hi); an empty tenant selects all.
func hourRange(lo, hi int64, tenant string) bson.D {
	at := func(hour int64) bson.D { return bson.D{{Key: "hour", Value: bson.DateTime(hour * msPerHour)}} }
	f := bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: at(lo)}, {Key: "$lt", Value: at(hi)}}}}
	if tenant != "" {
		f = append(f, bson.E{Key: "_id.tenant", Value: tenant})
	}
	return f
}

func (s *Store) eachCounter(ctx context.Context, filter bson.D, fn func(counterKey, int64)) error {
	cur, err := s.collection(collCounters).Find(ctx, filter)
	if err != nil {
		return err
	}
	defer cur.Close(ctx)
	for cur.Next(ctx) {
		var d counterDoc
		if err := cur.Decode(&d); err != nil {
			return err
		}
		fn(d.parse())
	}
	return cur.Err()
}
