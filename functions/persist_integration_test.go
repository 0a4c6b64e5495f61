//go:build integration

package functions_test

import (
	"net/url"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/functions/internal/awsstub"
	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// The real bootstrap of persist writes to a real MongoDB, each event once.
func TestIntegrationPersist(t *testing.T) {
	db := harness.OwnMongo(t)
	u, err := url.Parse(db.Addr)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/functions"
	if err := mongostore.Init(t.Context(), mongostore.Options{URI: u.String()}); err != nil {
		t.Fatal(err)
	}
	e := start(t, "persist", 256, awsstub.Start(t), "MONGODB_URI="+u.String())
	body := append(append([]byte{'['}, flight(1)...), ',')
	body = append(append(body, flight(2)...), ']')
	payload, _ := lambdaio.AppendSQSEvent(nil, "arn:aws:sqs:us-east-1:000000000000:own", []queue.Received{{
		ID: "m", Body: body, ReceiveCount: 1, Sent: time.Now(), Attributes: map[string]string{"content-type": "application/cloudevents-batch+json"},
	}})
	for range 2 {
		answer, err := e.Invoke(payload, timeout)
		if err != nil || string(answer) != `{"batchItemFailures":[]}` {
			t.Fatalf("%s, %v", answer, err)
		}
	}
	client, err := mongo.Connect(options.Client().ApplyURI(u.String()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(t.Context())
	if n, err := client.Database("functions").Collection("events").CountDocuments(t.Context(), bson.D{}); err != nil || n != 2 {
		t.Errorf("%d events stored, %v; want 2", n, err)
	}
}
