//go:build integration

package wire

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func TestMain(m *testing.M) { harness.Main(m) }

// account is a user of a MongoDB whose connection string is in a secret.
type account struct {
	admin   *mongo.Database
	secrets *secretsmanager.Client
	secret  string // its ARN
	at      url.URL
}

// newAccount makes a user, its database and its secret.
func newAccount(t *testing.T) *account {
	t.Helper()
	uri := harness.Mongo(t)
	db := harness.Database(t, uri)
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	a := &account{admin: client.Database(db), secrets: secretsmanager.NewFromConfig(harness.AWS(t))}
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + db
	q := u.Query()
	q.Set("maxIdleTimeMS", "1") // each call authenticates anew: else a password that was changed is not asked for
	u.RawQuery = q.Encode()
	a.at = *u
	a.run(t, bson.D{{Key: "createUser", Value: "millrace"}, {Key: "pwd", Value: "first"}, {Key: "roles", Value: bson.A{"readWrite"}}})
	text := a.uri("first")
	out, err := a.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("wire-test-" + rand.Text()), SecretString: &text})
	if err != nil {
		t.Fatal(err)
	}
	a.secret = *out.ARN
	t.Cleanup(func() {
		_, err := a.secrets.DeleteSecret(context.Background(), &secretsmanager.DeleteSecretInput{SecretId: out.ARN, ForceDeleteWithoutRecovery: aws.Bool(true)})
		if err := errors.Join(err, a.admin.RunCommand(context.Background(), bson.D{{Key: "dropUser", Value: "millrace"}}).Err(), client.Disconnect(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return a
}

func (a *account) uri(password string) string {
	u := a.at
	u.User = url.UserPassword("millrace", password)
	return u.String()
}

func (a *account) run(t *testing.T, command bson.D) {
	t.Helper()
	if err := a.admin.RunCommand(t.Context(), command).Err(); err != nil {
		t.Fatal(err)
	}
}

// rotate changes the password, in MongoDB and, where told is true, in the secret.
func (a *account) rotate(t *testing.T, password string, told bool) {
	t.Helper()
	a.run(t, bson.D{{Key: "updateUser", Value: "millrace"}, {Key: "pwd", Value: password}})
	if told {
		a.tell(t, password)
	}
}

func (a *account) tell(t *testing.T, password string) {
	t.Helper()
	text := a.uri(password)
	if _, err := a.secrets.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &a.secret, SecretString: &text}); err != nil {
		t.Fatal(err)
	}
}

// onLocalStack is the environment of a function there.
func onLocalStack(t *testing.T) {
	t.Helper()
	t.Setenv("AWS_ENDPOINT_URL", harness.LocalStack(t))
	t.Setenv("AWS_REGION", harness.AWS(t).Region)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
}

// TestIntegrationRotation rotates the password of a real MongoDB in a real Secrets Manager
// (LocalStack's) under a store that a function has opened.
func TestIntegrationRotation(t *testing.T) {
	a := newAccount(t)
	onLocalStack(t)
	t.Setenv(spec.MongoSecretVar, a.secret)
	if err := mongostore.Init(t.Context(), mongostore.Options{URI: a.uri("first")}); err != nil {
		t.Fatal(err)
	}
	p, err := common(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	p.Now = func() time.Time { return now }
	if err := Store(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	write(t, p, "before", true)

	// The secret is not old: only being refused makes it be read again.
	const soon = 30 * time.Second
	now = now.Add(soon)
	a.rotate(t, "second", true)
	write(t, p, "after the rotation", true)
	if _, _, _, err := p.Leases.Acquire(t.Context(), store.LeaseRequest{}); mongostore.Denied(err) {
		t.Errorf("lease: %v", err)
	}

	now = now.Add(soon)
	a.rotate(t, "third", false)
	err = write(t, p, "before the secret is told", false)
	if !mongostore.Denied(err) || strings.Contains(err.Error(), "second") || strings.Contains(err.Error(), "third") {
		t.Errorf("before the secret is told: %v", err)
	}
	a.tell(t, "third")
	now = now.Add(soon)
	write(t, p, "when the secret is told", true)
}

func write(t *testing.T, p *function.Parts, id string, good bool) error {
	t.Helper()
	e, err := event.Parse([]byte(`{"specversion":"1.0","id":"` + id + `","source":"/test","type":"com.example.test"}`))
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.Store.Write(t.Context(), []event.Event{e})
	for _, r := range res {
		err = errors.Join(err, r.Err)
	}
	if good && err != nil {
		t.Fatalf("write %s: %v", id, err)
	}
	return err
}
