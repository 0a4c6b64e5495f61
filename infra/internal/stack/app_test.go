package stack

import (
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

func TestMissingZips(t *testing.T) {
	d, err := spec.LoadDeployment(map[string]any{"vpc": "vpc-0a1b2c3d4e5f60718"})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Add(nil, Options{Deployment: d, Functions: "build/functions"})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"build/functions/arm64/ingest.zip is missing: build it with `go run ./scripts/functions`",
		"build/functions/arm64/dlq-redrive.zip is missing",
		"vpc: vpc-0a1b2c3d4e5f60718 is looked up in the account and its region, which are not known",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

// Every retention that the setting allows has a name in the CDK.
func TestRetention(t *testing.T) {
	for _, row := range spec.DeploymentTable {
		if row.Key != "logRetentionDays" {
			continue
		}
		for _, days := range row.Choices {
			d, err := spec.LoadDeployment(map[string]any{"logRetentionDays": days})
			if err != nil || retention(d.LogRetentionDays) == "" {
				t.Errorf("%s days: %q, %v", days, retention(d.LogRetentionDays), err)
			}
		}
		return
	}
	t.Error("there is no setting logRetentionDays")
}
