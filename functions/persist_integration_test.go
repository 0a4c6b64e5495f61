//go:build integration

package functions_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/functions/internal/awsstub"
	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/localstack/host"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// The real bootstrap of persist writes to a real MongoDB, each event once.
func TestIntegrationPersist(t *testing.T) {
	db := harness.OwnMongo(t)
	uri := databaseOf(t, db.Addr)
	if err := mongostore.Init(t.Context(), mongostore.Options{URI: uri}); err != nil {
		t.Fatal(err)
	}
	e := start(t, "persist", 256, awsstub.Start(t), "MONGODB_URI="+uri)
	payload := twoFlights()
	for range 2 {
		answer, err := e.Invoke(payload, timeout)
		if err != nil || string(answer) != `{"batchItemFailures":[]}` {
			t.Fatalf("%s, %v", answer, err)
		}
	}
	wantStored(t, uri, 2)
}

// twoFlights are the payload of an invocation with one message.
func twoFlights() []byte {
	body := append(append([]byte{'['}, flight(1)...), ',')
	body = append(append(body, flight(2)...), ']')
	payload, _ := lambdaio.AppendSQSEvent(nil, "arn:aws:sqs:us-east-1:000000000000:own", []queue.Received{{
		ID: "m", Body: body, ReceiveCount: 1, Sent: time.Now(), Attributes: map[string]string{"content-type": "application/cloudevents-batch+json"},
	}})
	return payload
}

// While MongoDB is down, from the start of the function on, its events come back delayed
// and count no attempt, invocations end long before their timeout, and the breaker opens.
// When MongoDB is back, the same process stores them.
func TestIntegrationPersistWithoutMongo(t *testing.T) {
	db := harness.OwnMongo(t)
	uri := databaseOf(t, db.Addr)
	if err := mongostore.Init(t.Context(), mongostore.Options{URI: uri}); err != nil {
		t.Fatal(err)
	}
	if err := db.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	stub := awsstub.Start(t)
	e := start(t, "persist", 256, stub, "MONGODB_URI="+uri)
	heldBack := func() {
		t.Helper()
		begun := time.Now()
		answer, err := e.Invoke(twoFlights(), timeout)
		if err != nil || string(answer) != `{"batchItemFailures":[]}` {
			t.Fatalf("%s, %v", answer, err)
		}
		if took := time.Since(begun); took > timeout/2 {
			t.Errorf("an invocation took %v", took)
		}
		back := stub.Take(queueURL)
		if len(back) != 1 || back[0].Delay < 1 || back[0].Attributes["attempt"] != "" {
			t.Fatalf("sent back: %+v", back)
		}
	}
	for range 3 {
		heldBack()
	}
	if log := e.Log(); strings.Count(log, `"BreakerState":1`) != 1 || !strings.Contains(log, "store_unreachable") {
		t.Errorf("the breaker is not open after three batches: %s", log)
	}
	begun := time.Now()
	heldBack()
	if took := time.Since(begun); took > time.Second {
		t.Errorf("with an open breaker an invocation took %v", took)
	}
	if err := db.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := host.Poll(ctx, time.Second, func(context.Context) error {
		_, err := e.Invoke(twoFlights(), timeout)
		if back := stub.Take(queueURL); err == nil && len(back) > 0 {
			err = fmt.Errorf("%d messages were sent back", len(back))
		}
		return err
	})
	if err != nil {
		t.Fatalf("MongoDB is back: %v", err)
	}
	wantStored(t, uri, 2)
	if dead := stub.Take(dlqURL); len(dead) > 0 {
		t.Errorf("dead letters: %v", dead)
	}
}

func databaseOf(t *testing.T, addr string) string {
	t.Helper()
	u, err := url.Parse(addr)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/functions"
	return u.String()
}

func wantStored(t *testing.T, uri string, want int64) {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(t.Context())
	if n, err := client.Database("functions").Collection("events").CountDocuments(t.Context(), bson.D{}); err != nil || n != want {
		t.Errorf("%d events stored, %v; want %d", n, err, want)
	}
}
