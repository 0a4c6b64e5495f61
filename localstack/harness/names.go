package harness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Name is a new name that tells the test it was made for: lower-case letters, digits and
// "-", at most 49 bytes, so that a topic, a consumer group and a database can have it.
func Name(t testing.TB) string {
	const maxTest = 40
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		default:
			return '-'
		}
	}, strings.ToLower(t.Name()))
	var random [4]byte
	rand.Read(random[:])
	return name[:min(len(name), maxTest)] + "-" + hex.EncodeToString(random[:])
}

// Database is a new database name on the server at uri; the database is dropped after the
// test.
func Database(t testing.TB, uri string) string {
	t.Helper()
	name := Name(t)
	t.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		client, err := mongo.Connect(options.Client().ApplyURI(uri))
		if err != nil {
			t.Errorf("drop database %s: %v", name, err)
			return
		}
		defer func() { _ = client.Disconnect(ctx) }()
		if err := client.Database(name).Drop(ctx); err != nil {
			t.Errorf("drop database %s: %v", name, err)
		}
	})
	return name
}

// Topic makes a new topic on the broker at addr; it is deleted after the test.
func Topic(t testing.TB, addr string, partitions int32) string {
	t.Helper()
	name := Name(t)
	admin := admin(t, addr)
	if _, err := admin.CreateTopic(t.Context(), partitions, -1, nil, name); err != nil {
		t.Fatalf("create topic %s: %v", name, err)
	}
	t.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		if _, err := admin.DeleteTopic(ctx, name); err != nil {
			t.Errorf("delete topic %s: %v", name, err)
		}
	})
	return name
}

// admin is a client for administration that closes after the test.
func admin(t testing.TB, addr string) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

func cleanupContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

// mongoAnswers returns nil when the server that a connection string names answers.
func mongoAnswers(ctx context.Context, uri string) error {
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	return client.Ping(ctx, nil)
}
