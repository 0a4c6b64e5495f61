package wire

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/logs"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// mongoVar is the connection string itself, for a MongoDB without a password. Otherwise
// it comes from the secret that spec.MongoSecretVar names.
const mongoVar = "MONGODB_URI"

// Store gives the parts the event store. One that cannot be opened now is no error: a
// function that does not start uses up the receives of its messages, while one that holds
// events back until the store is there loses nothing.
func Store(ctx context.Context, p *function.Parts) error {
	uri, err := connectionString(ctx, p.Now)
	if err != nil {
		return err
	}
	log := logs.New(os.Stdout, p.Settings.LogLevel, p.Settings.Env)
	r := &rotating{
		uri: uri, now: p.Now,
		open: func(ctx context.Context, uri string) (eventStore, error) {
			s, err := mongostore.Open(ctx, mongostore.Options{URI: uri, Aggregate: p.Handlers.Aggregates})
			if err != nil { // not a nil *Store in the interface
				return nil, err
			}
			return s, nil
		},
		kept: func(err error) {
			log.Error("the secret of the event store has changed and does not work: the one before goes on to be used", slog.Any("error", err))
		},
	}
	if err := r.start(ctx); err != nil {
		log.Error("the event store cannot be opened: events wait until it can", slog.Any("error", err))
	}
	p.Store, p.Leases = r, r
	return nil
}

// connectionString is where that of the event store comes from.
func connectionString(ctx context.Context, now func() time.Time) (secretText, error) {
	s, err := secret(ctx, spec.MongoSecretVar, now)
	if err != nil {
		return nil, err
	}
	if s != nil {
		return s, nil
	}
	uri := os.Getenv(mongoVar)
	if uri == "" {
		return nil, fmt.Errorf("neither of the environment variables %s and %s is set", spec.MongoSecretVar, mongoVar)
	}
	return fixedText(uri), nil
}

// fixedText is a secretText that does not change.
type fixedText string

func (t fixedText) Text(context.Context) (string, error)    { return string(t), nil }
func (t fixedText) Current(context.Context) (string, error) { return string(t), nil }
