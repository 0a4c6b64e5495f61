package awsio

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

const (
	// secretAge is how long the text of a secret counts as current.
	secretAge = 5 * time.Minute
	// secretPause is the least time between two looks that Current is asked for early: a
	// wrong secret must not cost a request for every invocation.
	secretPause = 10 * time.Second
)

// SecretReader is the part of the client of Secrets Manager that Secret uses.
type SecretReader interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Secret is the text of a secret in AWS Secrets Manager, kept in memory and looked at
// again from time to time, so that a rotation is seen. It is safe for concurrent use. No
// error holds the text.
type Secret struct {
	Client SecretReader
	ID     string // ARN or name
	Now    func() time.Time

	mu    sync.Mutex
	text  string    // "" before the first look
	tried time.Time // the last look, successful or not
}

// Text is the secret as it was at most five minutes ago. Once it is known, a Secrets
// Manager that does not answer is no error: the text that is known goes on to be used.
func (s *Secret) Text(ctx context.Context) (string, error) {
	return s.atMost(ctx, secretAge)
}

// Current is the secret as it is now, for who was refused with the text at hand. Asked
// again within ten seconds it answers what Text does.
func (s *Secret) Current(ctx context.Context) (string, error) {
	return s.atMost(ctx, secretPause)
}

func (s *Secret) atMost(ctx context.Context, age time.Duration) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	if s.text != "" && now.Sub(s.tried) < age {
		return s.text, nil
	}
	s.tried = now
	text, err := s.read(ctx)
	if err != nil {
		if s.text != "" {
			return s.text, nil
		}
		return "", err
	}
	s.text = text
	return text, nil
}

func (s *Secret) read(ctx context.Context) (string, error) {
	out, err := s.Client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.ID})
	var none *types.ResourceNotFoundException
	switch {
	case errors.As(err, &none):
		return "", fmt.Errorf("the secret %s does not exist or has no value yet: `millrace store connect` sets the one of the event store", s.ID)
	case err != nil:
		return "", fmt.Errorf("read the secret %s: %w", s.ID, readable(err))
	case out.SecretString == nil || *out.SecretString == "":
		return "", fmt.Errorf("the secret %s is empty or no text", s.ID)
	}
	return *out.SecretString, nil
}

// PutSecret gives a secret that exists a new text. No error holds it.
func PutSecret(ctx context.Context, c *secretsmanager.Client, id, text string) error {
	_, err := c.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: &text})
	var none *types.ResourceNotFoundException
	switch {
	case errors.As(err, &none):
		return fmt.Errorf("the secret %s does not exist: the deployment has been given another one (setting mongoSecretArn)", id)
	case err != nil:
		return fmt.Errorf("write the secret %s: %w", id, readable(err))
	}
	return nil
}
