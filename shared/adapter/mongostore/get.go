package mongostore

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Get implements store.Reader.
func (s *Store) Get(ctx context.Context, key event.Key) (store.Record, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var rec store.Record
	var err error
	if key.Source == "" {
		key, err = s.keyOfID(ctx, key.ID)
	}
	if err == nil {
		rec, err = s.getByKey(ctx, key)
	}
	if err != nil {
		return store.Record{}, failed(err, "get event")
	}
	return rec, nil
}

func (s *Store) getByKey(ctx context.Context, key event.Key) (store.Record, error) {
	if rec, ok, err := s.storedRecord(ctx, key); ok || err != nil {
		return rec, err
	}
	rec, isStored, ok, err := s.leasedRecord(ctx, key)
	if err == nil && ok && isStored { // since we looked
		rec, ok, err = s.storedRecord(ctx, key)
	}
	if err == nil && !ok {
		err = store.ErrNotFound
	}
	return rec, err
}

func (s *Store) storedRecord(ctx context.Context, key event.Key) (rec store.Record, ok bool, err error) {
	raw, err := s.collection(collEvents).FindOne(ctx, bson.D{{Key: "_id", Value: keyOf(key)}}).Raw()
	if err != nil {
		if errors.Is(err, mongo.ErrNoDocuments) {
			err = nil
		}
		return store.Record{}, false, err
	}
	doc, err := parseDocument(raw)
	return doc.record(), err == nil, err
}

// keyOfID is the key of the only event with an id.
func (s *Store) keyOfID(ctx context.Context, id string) (event.Key, error) {
	keys := make(map[string]struct{})
	for _, collection := range []string{collEvents, collLeases} {
		filter := bson.D{{Key: "_id", Value: bson.D{
			{Key: "$gte", Value: id + keySeparator}, {Key: "$lt", Value: id + string(keySeparator[0]+1)},
		}}}
		cur, err := s.collection(collection).Find(ctx, filter, options.Find().SetLimit(2).SetProjection(bson.D{{Key: "_id", Value: 1}}))
		if err != nil {
			return event.Key{}, err
		}
		var found []struct {
			ID string `bson:"_id"`
		}
		if err := cur.All(ctx, &found); err != nil {
			return event.Key{}, err
		}
		for _, f := range found {
			keys[f.ID] = struct{}{}
		}
	}
	switch len(keys) {
	case 0:
		return event.Key{}, store.ErrNotFound
	case 1:
		for k := range keys {
			return parseKey(k), nil
		}
	}
	return event.Key{}, store.ErrAmbiguous
}
