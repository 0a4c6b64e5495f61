package awsio

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// manager is Secrets Manager with one secret.
type manager struct {
	text  string
	err   error
	reads int
}

func (m *manager) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	m.reads++
	if m.err != nil {
		return nil, m.err
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: &m.text}, nil
}

func TestSecretIsLookedAtAgain(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := &manager{text: "one"}
	s := &Secret{Client: m, ID: "id", Now: func() time.Time { return now }}
	want := func(what string, ask func(context.Context) (string, error), text string, reads int) {
		t.Helper()
		got, err := ask(t.Context())
		if err != nil || got != text || m.reads != reads {
			t.Fatalf("%s: %q after %d reads, %v; want %q after %d", what, got, m.reads, err, text, reads)
		}
	}
	want("first", s.Text, "one", 1)
	m.text = "two"
	now = now.Add(secretAge - time.Second)
	want("before it is old", s.Text, "one", 1)
	now = now.Add(time.Second)
	want("when it is old", s.Text, "two", 2)
	m.text = "three"
	now = now.Add(secretPause - time.Second)
	want("asked early again", s.Current, "two", 2)
	now = now.Add(time.Second)
	want("asked early", s.Current, "three", 3)
	m.err = errors.New("unavailable")
	now = now.Add(secretAge)
	want("Secrets Manager does not answer", s.Text, "three", 4)
	want("and is left alone for a while", s.Text, "three", 4)
	m.err, m.text = nil, "four"
	now = now.Add(secretPause)
	want("it answers again", s.Current, "four", 5)
}

func TestSecretErrors(t *testing.T) {
	for what, c := range map[string]struct {
		m    manager
		want string
	}{
		"none":  {manager{err: &types.ResourceNotFoundException{Message: aws.String("no")}}, "millrace store connect"},
		"empty": {manager{}, "is empty"},
		"other": {manager{err: errors.New("boom")}, "boom"},
	} {
		s := &Secret{Client: &c.m, ID: "millrace/dev/mongodb-uri", Now: time.Now}
		_, err := s.Text(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), s.ID) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := s.Text(t.Context()); err == nil || c.m.reads != 2 {
			t.Errorf("%s: a secret that was never read is asked for again: %d reads, %v", what, c.m.reads, err)
		}
	}
}
