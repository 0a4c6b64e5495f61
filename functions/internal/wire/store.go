package wire

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/function"
)

// Where the connection string of MongoDB comes from: a secret of AWS Secrets Manager, or
// for a MongoDB without a password the variable itself.
const (
	envMongoSecret = "MONGODB_URI_SECRET" // ARN or name of the secret, whose text is the string
	envMongo       = "MONGODB_URI"
)

// Store opens the event store for the parts.
func Store(ctx context.Context, p *function.Parts) error {
	uri, err := mongoURI(ctx)
	if err != nil {
		return err
	}
	s, err := mongostore.Open(ctx, mongostore.Options{URI: uri, Aggregate: p.Handlers.Aggregates})
	if err != nil {
		return err
	}
	p.Store, p.Leases = s, s
	return nil
}

func mongoURI(ctx context.Context) (string, error) {
	id := os.Getenv(envMongoSecret)
	if id == "" {
		var env environment
		uri := env.get(envMongo)
		if env.err() != nil {
			return "", fmt.Errorf("neither of the environment variables %s and %s is set", envMongoSecret, envMongo)
		}
		return uri, nil
	}
	cfg, err := awsio.Load(ctx)
	if err != nil {
		return "", err
	}
	out, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", id, err)
	}
	return aws.ToString(out.SecretString), nil
}
