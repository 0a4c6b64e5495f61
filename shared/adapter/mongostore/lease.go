package mongostore

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// leaseDoc is a document of the collection leases: an effect (delivery rule 9). It stays
// for ever, since its token must never come again. The fields that listings filter by
// have the names that events have.
type leaseDoc struct {
	ID      string        `bson:"_id"` // keyOf the event
	Status  store.Status  `bson:"status"`
	Owner   string        `bson:"owner"`
	Until   bson.DateTime `bson:"until"`
	Token   int64         `bson:"token"`
	Attempt int           `bson:"attempt"`
	Error   string        `bson:"error"`
	Result  []byte        `bson:"result"`
	Stored  bool          `bson:"stored"` // the event is; false when nobody has noticed yet
	Event   string        `bson:"event"`  // its JSON as it came to the stage, while it is not stored
}

func (d *leaseDoc) lease() store.Lease {
	return store.Lease{
		Key: parseKey(d.ID), Owner: d.Owner, Until: fromMillis(int64(d.Until)),
		Token: d.Token, Attempt: d.Attempt, Error: d.Error,
	}
}

// Acquire implements store.Leases.
func (s *Store) Acquire(ctx context.Context, r store.LeaseRequest) (a store.Acquired, l store.Lease, result []byte, err error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	a, d, err := s.acquire(ctx, &r)
	if err != nil {
		return 0, store.Lease{}, nil, failedLease(err, "acquire lease")
	}
	return a, d.lease(), d.Result, nil
}

func (s *Store) acquire(ctx context.Context, r *store.LeaseRequest) (store.Acquired, *leaseDoc, error) {
	now := bson.DateTime(s.now().UnixMilli())
	key := keyOf(r.Event.Key())
	stored, err := s.storedKeys(ctx, []string{key})
	if err != nil {
		return 0, nil, err
	}
	for {
		d, err := s.grant(ctx, r, len(stored) > 0, now)
		if !mongo.IsDuplicateKeyError(err) {
			return store.Granted, d, err
		}
		if a, d, err := s.taken(ctx, key, now); a != 0 || err != nil {
			return a, d, err
		}
		// It became free in between.
	}
}

// taken says how a lease is taken; 0 if it is not. Done is for ever: it is said only when
// no failover can take it back.
func (s *Store) taken(ctx context.Context, key string, now bson.DateTime) (store.Acquired, *leaseDoc, error) {
	d, err := s.findLease(ctx, key, readconcern.Majority())
	if err == nil && d.Status == store.Completed {
		return store.Done, d, nil
	}
	if err == nil || errors.Is(err, mongo.ErrNoDocuments) {
		d, err = s.findLease(ctx, key, readconcern.Local())
	}
	if err == nil && (d.Status == store.Completed || d.Status == store.Processing && d.Until > now) {
		return store.Held, d, nil
	}
	return 0, d, err
}

// grant takes the lease if there is none, or if it is free. If it is not, the server
// would have to insert a second one: the error is then a duplicate key.
func (s *Store) grant(ctx context.Context, r *store.LeaseRequest, stored bool, now bson.DateTime) (*leaseDoc, error) {
	e := &r.Event
	free := bson.A{
		bson.D{{Key: "status", Value: bson.D{{Key: "$in", Value: bson.A{store.Pending, store.Failed}}}}},
		bson.D{{Key: "status", Value: store.Processing}, {Key: "until", Value: bson.D{{Key: "$lte", Value: now}}}},
	}
	filter := bson.D{{Key: "_id", Value: keyOf(e.Key())}, {Key: "$or", Value: free}}
	json := string(e.JSON())
	if stored {
		json = ""
	}
	update := bson.D{
		{Key: "$set", Value: bson.D{
			{Key: "status", Value: store.Processing},
			{Key: "owner", Value: r.Owner},
			{Key: "until", Value: bson.DateTime(r.Until.UnixMilli())},
			{Key: "error", Value: ""},
			{Key: "stored", Value: stored},
			{Key: "event", Value: json},
			{Key: fieldTime, Value: store.TimeOf(e, fromMillis(int64(now)))},
			{Key: "id", Value: e.ID()},
			{Key: "source", Value: e.Source()},
			{Key: "type", Value: e.Type()},
			{Key: "tenantid", Value: e.Tenant()},
			{Key: "subject", Value: e.Subject()},
			{Key: "userid", Value: e.User()},
		}},
		{Key: "$inc", Value: bson.D{{Key: "token", Value: int64(1)}, {Key: "attempt", Value: 1}}},
	}
	o := options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After).SetProjection(withoutEvent)
	var d leaseDoc
	err := s.collection(collLeases).FindOneAndUpdate(ctx, filter, update, o).Decode(&d)
	return &d, err
}

var withoutEvent = bson.D{{Key: "event", Value: 0}}

func (s *Store) findLease(ctx context.Context, key string, c *readconcern.ReadConcern) (*leaseDoc, error) {
	leases := s.collection(collLeases, options.Collection().SetReadConcern(c))
	var d leaseDoc
	err := leases.FindOne(ctx, bson.D{{Key: "_id", Value: key}}, options.FindOne().SetProjection(withoutEvent)).Decode(&d)
	return &d, err
}

// Finish implements store.Leases. The server acknowledges a change that changes nothing
// as it does others: when a majority has the lease as it is.
func (s *Store) Finish(ctx context.Context, l store.Lease, status store.Status, result []byte) (ok bool, err error) {
	filter := bson.D{{Key: "_id", Value: keyOf(l.Key)}, {Key: "token", Value: l.Token}}
	var update any
	switch status {
	case store.Completed:
		first := bson.D{{Key: "$ifNull", Value: bson.A{"$result", bson.D{{Key: "$literal", Value: append([]byte{}, result...)}}}}}
		update = bson.A{bson.D{{Key: "$set", Value: bson.D{
			{Key: "status", Value: status}, {Key: "error", Value: ""}, {Key: "result", Value: first},
		}}}}
	case store.Failed, store.Pending:
		filter = append(filter, bson.E{Key: "status", Value: bson.D{{Key: "$ne", Value: store.Completed}}})
		reason := strings.ToValidUTF8(string(result), "\uFFFD")
		update = bson.D{{Key: "$set", Value: bson.D{{Key: "status", Value: status}, {Key: "error", Value: reason}}}}
	default:
		return false, fault.New(fault.Bug, "a lease cannot be finished as %q", status)
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	r, err := s.collection(collLeases).UpdateOne(ctx, filter, update)
	if err != nil {
		return false, failedLease(err, "finish lease")
	}
	return r.MatchedCount == 1, nil
}

// Reset implements store.Leases.
func (s *Store) Reset(ctx context.Context, f store.Filter, endedBefore time.Time, limit int) ([]event.Key, error) {
	c, err := newCriteria(f, "")
	if err != nil {
		return nil, err
	}
	if limit <= 0 || c.Status != "" && c.Status != store.Processing {
		return nil, nil
	}
	c.Status = store.Processing
	m := during(c.leasedMatch(), c.lo, c.hi)
	m = append(m, bson.E{Key: "until", Value: bson.D{{Key: "$lt", Value: bson.DateTime(endedBefore.UnixMilli())}}})
	cur, err := s.collection(collLeases).Find(ctx, m, options.Find().SetSort(bson.D{{Key: "until", Value: 1}}).SetProjection(withoutEvent))
	if err != nil {
		return nil, failed(err, "reset leases")
	}
	defer cur.Close(ctx)
	var keys []event.Key
	for len(keys) < limit && cur.Next(ctx) {
		var d leaseDoc
		if err := cur.Decode(&d); err != nil {
			return keys, failed(err, "reset leases")
		}
		ok, err := s.resetLease(ctx, &d)
		if err != nil {
			return keys, failed(err, "reset leases")
		}
		if ok {
			keys = append(keys, parseKey(d.ID))
		}
	}
	return keys, failed(cur.Err(), "reset leases")
}

// resetLease sets a lease that ended to PENDING, unless its event is stored or it has
// changed meanwhile.
func (s *Store) resetLease(ctx context.Context, d *leaseDoc) (ok bool, err error) {
	stored, err := s.storedKeys(ctx, []string{d.ID})
	if err != nil || len(stored) > 0 {
		return false, err
	}
	unchanged := bson.D{{Key: "_id", Value: d.ID}, {Key: "token", Value: d.Token}, {Key: "status", Value: store.Processing}}
	pending := bson.D{{Key: "$set", Value: bson.D{{Key: "status", Value: store.Pending}}}}
	r, err := s.collection(collLeases).UpdateOne(ctx, unchanged, pending)
	return err == nil && r.MatchedCount == 1, err
}
