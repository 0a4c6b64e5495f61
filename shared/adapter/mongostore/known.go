package mongostore

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// keySet are keys as in _id.
type keySet map[string]struct{}

func (k keySet) has(key event.Key) bool {
	if len(k) == 0 {
		return false
	}
	_, ok := k[keyOf(key)]
	return ok
}

// stored finds which of the events are.
func (s *Store) stored(ctx context.Context, events []event.Event, places []int) (keySet, error) {
	return s.storedKeys(ctx, keysOf(events, places))
}

// keysOf events, a BSON array.
func keysOf(events []event.Event, places []int) bson.RawValue {
	var keys arrayWriter
	keys.reset()
	for _, place := range places {
		keys.addKey(&events[place])
	}
	return bson.RawValue{Type: bson.TypeArray, Value: keys.finish()}
}

// storedKeys finds which of the keys, an array, events are stored under, as a majority has
// acknowledged: an event that a failover can take back is not stored.
func (s *Store) storedKeys(ctx context.Context, keys any) (keySet, error) {
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}}
	events := s.collection(collEvents, options.Collection().SetReadConcern(readconcern.Majority()))
	cur, err := events.Find(ctx, filter, options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, err
	}
	defer cur.Close(ctx)
	found := keySet{}
	for cur.Next(ctx) {
		if id, ok := cur.Current.Lookup("_id").StringValueOK(); ok {
			found[id] = struct{}{}
		}
	}
	return found, cur.Err()
}
