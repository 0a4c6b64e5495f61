//go:build integration

package wire

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// TestIntegrationPseudonymKey reads the setting from a secret, and never says what it is.
func TestIntegrationPseudonymKey(t *testing.T) {
	client := secretsmanager.NewFromConfig(harness.AWS(t))
	key := rand.Text()
	out, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("wire-test-" + rand.Text()), SecretString: &key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := client.DeleteSecret(context.Background(), &secretsmanager.DeleteSecretInput{SecretId: out.ARN, ForceDeleteWithoutRecovery: aws.Bool(true)})
		if err != nil {
			t.Error(err)
		}
	})
	onLocalStack(t)
	t.Setenv(spec.PseudonymSecretVar, *out.ARN)
	if s, err := settings(t.Context()); err != nil || string(s.PseudonymKey.Bytes()) != key {
		t.Errorf("%v, %v", s, err)
	}
	short := "guessable"
	if _, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: out.ARN, SecretString: &short}); err != nil {
		t.Fatal(err)
	}
	if _, err := settings(t.Context()); err == nil || strings.Contains(err.Error(), short) {
		t.Errorf("a short key: %v", err)
	}
	t.Setenv(pseudonymKey, key)
	if _, err := settings(t.Context()); err == nil || !strings.Contains(err.Error(), "contradict") || strings.Contains(err.Error(), key) {
		t.Errorf("given twice: %v", err)
	}
}
