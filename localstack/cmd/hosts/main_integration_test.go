//go:build integration

package main

import (
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/localstack/host"
)

func TestIntegrationUpStatusDown(t *testing.T) {
	dir := t.TempDir()
	t.Cleanup(func() { _, _, _ = run(t, "down", "--dir", dir) })
	first, _, err := run(t, "up", "--dir", dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, env := range []string{
		"export MONGODB_URI='mongodb://127.0.0.1:", "export MILLRACE_KAFKA='127.0.0.1:", "export AWS_ENDPOINT_URL='http://127.0.0.1:",
	} {
		if !strings.Contains(first, env) {
			t.Errorf("no %q in %q", env, first)
		}
	}
	if out, _, err := run(t, "status", "--dir", dir); err != nil || strings.Count(out, "\tup\t") != 3 {
		t.Errorf("status: %q, %v", out, err)
	}
	if _, _, err := run(t, "down", "--dir", dir, "--only", "kafka"); err != nil {
		t.Fatal(err)
	}
	if out, _, _ := run(t, "status", "--dir", dir); !strings.Contains(out, "mongo\tup") || !strings.Contains(out, "kafka\tdown") {
		t.Errorf("status after down --only kafka: %q", out)
	}
	again, _, err := run(t, "up", "--dir", dir)
	if err != nil || again != first {
		t.Errorf("up again: %q, %v; the first time %q", again, err, first)
	}
	uri := strings.Split(strings.SplitAfter(first, "mongodb://")[1], "/")[0]
	if err := host.MongoReady(t.Context(), uri); err != nil {
		t.Error(err)
	}
}
