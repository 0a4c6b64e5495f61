package wire

import (
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Every variable that is missing is named at once, and the table of variables has them all.
func TestOnCallEnvironment(t *testing.T) {
	vars := spec.FunctionVars(spec.OnCall)
	for _, name := range vars {
		t.Setenv(name, "")
	}
	_, err := OnCall(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range vars {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("no word of %s: %v", name, err)
		}
	}
	if n := strings.Count(err.Error(), "is not set"); n != len(vars) {
		t.Errorf("%d variables are read, spec.FunctionVars has %d", n, len(vars))
	}
	for _, name := range vars {
		t.Setenv(name, "arn:aws:sns:eu-west-1:123456789012:x")
	}
	t.Setenv("AWS_REGION", "eu-west-1")
	if _, err := OnCall(t.Context()); err != nil {
		t.Error(err)
	}
}
