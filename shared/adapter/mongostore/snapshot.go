package mongostore

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// snapshot calls read with a context in which all reads see the database as it was at one
// moment, with all writes that a majority had acknowledged. It calls it again where the
// server has no such moment, shortly after a collection or an index was made.
func (s *Store) snapshot(ctx context.Context, read func(ctx context.Context) error) error {
	const first, most = 10 * time.Millisecond, 2 * time.Second
	for wait := first; ; wait *= 2 {
		err := s.snapshotOnce(ctx, read)
		if !hasCode(err, codeSnapshotUnavailable) || wait > most {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (s *Store) snapshotOnce(ctx context.Context, read func(ctx context.Context) error) error {
	session, err := s.client.StartSession(options.Session().SetSnapshot(true))
	if err != nil {
		return err
	}
	defer session.EndSession(ctx)
	return read(mongo.NewSessionContext(ctx, session))
}

// pending is what is not yet folded, of complete and incomplete batches. It is exact in a
// snapshot.
func (s *Store) pending(ctx context.Context) (*delta, error) {
	cur, err := s.collection(collBatches).Find(ctx, bson.D{})
	if err != nil {
		return nil, err
	}
	var all []batch
	if err := cur.All(ctx, &all); err != nil {
		return nil, err
	}
	sum := newDelta()
	for i := range all {
		d := all[i].delta()
		if !all[i].complete() {
			if d, err = s.written(ctx, &all[i]); err != nil {
				return nil, err
			}
		}
		sum.merge(d)
	}
	return sum, nil
}
