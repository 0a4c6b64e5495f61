package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/adapter/logs"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// mongoVar is the connection string itself, for a MongoDB without a password. Otherwise
// it comes from the secret that spec.MongoSecretVar names.
const mongoVar = "MONGODB_URI"

// Store opens the event store for the parts.
func Store(ctx context.Context, p *function.Parts) error {
	open := func(ctx context.Context, uri string) (eventStore, error) {
		s, err := mongostore.Open(ctx, mongostore.Options{URI: uri, Aggregate: p.Handlers.Aggregates})
		if err != nil { // not a nil *Store in the interface
			return nil, err
		}
		return s, nil
	}
	uri, err := secret(ctx, spec.MongoSecretVar, p.Now)
	switch {
	case err != nil:
		return err
	case uri == nil:
		return fixedStore(ctx, p, open)
	}
	return rotatingStore(ctx, p, uri, open)
}

func fixedStore(ctx context.Context, p *function.Parts, open opener) error {
	uri := os.Getenv(mongoVar)
	if uri == "" {
		return fmt.Errorf("neither of the environment variables %s and %s is set", spec.MongoSecretVar, mongoVar)
	}
	s, err := open(ctx, uri)
	if err != nil {
		return err
	}
	p.Store, p.Leases = s, s
	return nil
}

func rotatingStore(ctx context.Context, p *function.Parts, uri *awsio.Secret, open opener) error {
	log := logs.New(os.Stdout, p.Settings.LogLevel, p.Settings.Env)
	r := &rotating{uri: uri, open: open, kept: func(err error) {
		log.Error("the secret of the event store has changed and does not work: the one before goes on to be used", slog.Any("error", err))
	}}
	if err := r.start(ctx); err != nil {
		return errors.Join(fmt.Errorf("with the connection string of the secret %s", uri.ID), err)
	}
	p.Store, p.Leases = r, r
	return nil
}
