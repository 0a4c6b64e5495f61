//go:build integration

package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/localstack/host"
)

type served struct{ m *testing.M }

func (s served) Run() int { return harness.Run(s.m) }

func runner(m *testing.M) served { return served{m} }

// localStack is one that the commands of this test find.
func localStack(t *testing.T) aws.Config {
	t.Helper()
	for _, kv := range host.LocalStackEnv(harness.LocalStack(t)) {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	return harness.AWS(t)
}
