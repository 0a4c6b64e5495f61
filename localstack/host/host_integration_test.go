//go:build integration

package host

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestIntegrationMongo(t *testing.T) {
	ctx := t.Context()
	m, err := NewMongo(MongoOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Kill(context.Background()) })
	t.Log("up", time.Since(start), m.URI())
	c, err := mongo.Connect(options.Client().ApplyURI(m.URI()))
	if err != nil {
		t.Fatal(err)
	}
	coll := c.Database("x").Collection("y")
	if _, err := coll.InsertOne(ctx, bson.M{"_id": 1}); err != nil {
		t.Fatal(err)
	}
	for _, end := range []func(context.Context) error{m.Stop, m.Kill} {
		start = time.Now()
		if err := end(ctx); err != nil {
			t.Fatal(err)
		}
		t.Log("down", time.Since(start))
		start = time.Now()
		if err := m.Start(ctx); err != nil {
			t.Fatal(err)
		}
		t.Log("up", time.Since(start))
		n, err := coll.CountDocuments(ctx, bson.M{})
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		t.Log("count", time.Since(start))
	}
}
