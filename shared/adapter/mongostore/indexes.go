package mongostore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// Collections of the store.
const (
	collEvents     = "events"     // one document per event (document.go)
	collBatches    = "batches"    // what is not summed up yet (batch.go)
	collCounters   = "counters"   // counter.go
	collAggregates = "aggregates" // aggregate.go
	collLeases     = "leases"     // lease.go
	collState      = "state"      // heartbeat and rebuild, one document each
)

var collections = []string{collEvents, collBatches, collCounters, collAggregates, collLeases, collState}

// index is one that the store needs besides the one on _id. Those of events cost mongod
// some microseconds an event each: there is one for each attribute that listings filter
// by, and none more.
type index struct {
	collection string
	keys       []string // ascending
	only       bson.D   // its partialFilterExpression; nil: all documents
	why        string
}

var exists = bson.D{{Key: "$exists", Value: true}}

// notStored are the leases that listings show.
var notStored = bson.D{{Key: "stored", Value: false}}

var indexes = []index{
	{collEvents, []string{"type", fieldTime}, nil, "filter by type; without any filter all types are named, and the server merges them by time"},
	{collEvents, []string{"tenantid", fieldTime}, bson.D{{Key: "tenantid", Value: exists}}, "filter by tenant; events without one cost nothing"},
	{collEvents, []string{"subject", fieldTime}, bson.D{{Key: "subject", Value: exists}}, "filter by subject, and rebuild one aggregate"},
	{collEvents, []string{"userid", fieldTime}, bson.D{{Key: "userid", Value: exists}}, "filter by user: audit"},
	{collLeases, []string{"status", fieldTime}, notStored, "filter by status; without any filter all statuses are named, and the server merges them by time"},
	{collLeases, []string{"tenantid", fieldTime}, notStored, "filter by tenant"},
	{collLeases, []string{"type", fieldTime}, notStored, "filter by type"},
	{collLeases, []string{"subject", fieldTime}, notStored, "filter by subject"},
	{collLeases, []string{"userid", fieldTime}, notStored, "filter by user"},
	{collLeases, []string{"status", "until"}, notStored, "reset of stuck events, longest ended first"},
}

func (x *index) name() string { return strings.Join(x.keys, "_") }

func (x *index) model() mongo.IndexModel {
	o := options.Index().SetName(x.name())
	if x.only != nil {
		o.SetPartialFilterExpression(x.only)
	}
	return mongo.IndexModel{Keys: x.spec(), Options: o}
}

func (x *index) spec() bson.D {
	var keys bson.D
	for _, k := range x.keys {
		keys = append(keys, bson.E{Key: k, Value: 1})
	}
	return keys
}

// createAll makes the collections and indexes that are missing.
func createAll(ctx context.Context, db *mongo.Database) error {
	have, err := db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return err
	}
	for _, name := range collections {
		if slices.Contains(have, name) {
			continue
		}
		if err := db.CreateCollection(ctx, name); err != nil && !hasCode(err, codeNamespaceExists) {
			return fmt.Errorf("create collection %s: %w", name, err)
		}
	}
	for _, name := range collections {
		var models []mongo.IndexModel
		for _, x := range indexes {
			if x.collection == name {
				models = append(models, x.model())
			}
		}
		if models == nil {
			continue
		}
		if _, err := db.Collection(name).Indexes().CreateMany(ctx, models); err != nil {
			return fmt.Errorf("create indexes of collection %s: %w", name, err)
		}
	}
	return nil
}

// existing is an index as the server describes it.
type existing struct {
	Name   string   `bson:"name"`
	Key    bson.Raw `bson:"key"`
	Only   bson.Raw `bson:"partialFilterExpression"`
	Unique bool     `bson:"unique"`
	Hidden bool     `bson:"hidden"`
}

// checkAll returns an error that names what is missing or different. Other indexes are
// the users' own.
func checkAll(ctx context.Context, db *mongo.Database) error {
	for _, coll := range []string{collEvents, collLeases} {
		var have []existing
		cur, err := db.Collection(coll).Indexes().List(ctx)
		if err == nil {
			err = cur.All(ctx, &have)
		}
		if err != nil {
			return fmt.Errorf("list indexes of collection %s: %w", coll, err)
		}
		for _, x := range indexes {
			if x.collection != coll {
				continue
			}
			if err := x.check(have); err != nil {
				return fmt.Errorf("database %s: %w", db.Name(), err)
			}
		}
	}
	return nil
}

const initHint = "run `millrace store init`"

func (x *index) check(have []existing) error {
	i := slices.IndexFunc(have, func(e existing) bool { return e.Name == x.name() })
	if i < 0 {
		return fmt.Errorf("collection %s has no index %s: %s", x.collection, x.name(), initHint)
	}
	e := have[i]
	if !sameDocument(e.Key, x.spec()) || !sameDocument(e.Only, x.only) || e.Unique || e.Hidden {
		return fmt.Errorf("index %s of collection %s is not the one that Millrace needs: drop it, then %s", x.name(), x.collection, initHint)
	}
	return nil
}

// sameDocument compares what the server says with what was asked for, as text: the server
// may give a number another type.
func sameDocument(have bson.Raw, want bson.D) bool {
	if len(want) == 0 {
		return have == nil
	}
	raw, err := bson.Marshal(want)
	return err == nil && have != nil && text(have) == text(raw)
}

func text(doc bson.Raw) string { return string(appendValue(nil, bsoncore.TypeEmbeddedDocument, doc)) }
