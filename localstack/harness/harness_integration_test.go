//go:build integration

package harness

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestIntegrationSharedServers(t *testing.T) {
	uri, addr := Mongo(t), Kafka(t)
	if Mongo(t) != uri || Kafka(t) != addr {
		t.Error("the second call started another server")
	}
	client := mongoClient(t, uri)
	coll := client.Database(Database(t, uri)).Collection("c")
	if _, err := coll.InsertOne(t.Context(), bson.M{"_id": 1}); err != nil {
		t.Fatal(err)
	}
	topic := Topic(t, addr, 2)
	produce(t, addr, topic)
}

func TestIntegrationMongoTransactions(t *testing.T) {
	uri := Mongo(t)
	client := mongoClient(t, uri)
	coll := client.Database(Database(t, uri)).Collection("c")
	session, err := client.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(t.Context())
	_, err = session.WithTransaction(t.Context(), func(ctx context.Context) (any, error) {
		return coll.InsertOne(ctx, bson.M{"_id": 1})
	})
	if err != nil {
		t.Fatalf("no replica set? %v", err)
	}
}

// TestIntegrationOwnServers: what was acknowledged is there after a stop and after a kill.
func TestIntegrationOwnServers(t *testing.T) {
	m, k := OwnMongo(t), OwnKafka(t)
	coll := mongoClient(t, m.Addr).Database("own").Collection("c")
	if _, err := coll.InsertOne(t.Context(), bson.M{"_id": 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin(t, k.Addr).CreateTopic(t.Context(), 1, 1, nil, "own"); err != nil {
		t.Fatal(err)
	}
	produce(t, k.Addr, "own")
	for _, s := range []*Server{m, k} {
		for _, end := range []func(context.Context) error{s.Stop, s.Kill} {
			if err := end(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, err := coll.CountDocuments(t.Context(), bson.M{}); err != nil || n != 1 {
		t.Errorf("%d documents, %v; want 1", n, err)
	}
	ends, err := admin(t, k.Addr).ListEndOffsets(t.Context(), "own")
	if err != nil {
		t.Fatal(err)
	}
	if end, ok := ends.Lookup("own", 0); !ok || end.Offset != 1 {
		t.Errorf("%d records, want 1 (%v)", end.Offset, end.Err)
	}
}

func mongoClient(t *testing.T, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

func produce(t *testing.T, addr, topic string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
