package wire

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// secret is the one that an environment variable names by its ARN; nil where it is not set.
func secret(ctx context.Context, variable string, now func() time.Time) (*awsio.Secret, error) {
	id := os.Getenv(variable)
	if id == "" {
		return nil, nil
	}
	cfg, err := awsio.Load(ctx)
	if err != nil {
		return nil, err
	}
	return &awsio.Secret{Client: secretsmanager.NewFromConfig(cfg), ID: id, Now: now}, nil
}

// pseudonymKey is the setting that infrastructure names a secret for instead of setting
// it: the environment of a function can be read by whoever may look at the function.
const pseudonymKey = "MILLRACE_PSEUDONYM_KEY"

// settings reads the environment, and the pseudonym key from its secret. The key is read
// once: with another one a person would get another pseudonym.
func settings(ctx context.Context) (spec.Settings, error) {
	environ := os.Environ()
	s, err := secret(ctx, spec.PseudonymSecretVar, time.Now)
	if err != nil {
		return spec.Settings{}, err
	}
	if s == nil {
		return spec.Load(environ)
	}
	for _, kv := range environ {
		if strings.HasPrefix(kv, pseudonymKey+"=") {
			return spec.Settings{}, fmt.Errorf("the environment variables %s and %s contradict each other: set one of them", pseudonymKey, spec.PseudonymSecretVar)
		}
	}
	key, err := s.Text(ctx)
	if err != nil {
		return spec.Settings{}, err
	}
	return spec.Load(append(environ, pseudonymKey+"="+key))
}
