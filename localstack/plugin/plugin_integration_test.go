//go:build integration

package plugin

import (
	"os"
	"os/exec"
	"testing"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/localstack/host"
)

func TestMain(m *testing.M) { harness.Main(m) }

// TestIntegrationPlugin runs the plugin's own checks and tests, with a real Kafka.
func TestIntegrationPlugin(t *testing.T) {
	kafka := harness.Kafka(t)
	python, path, err := host.PluginPython(t.Context())
	if err != nil {
		harness.Missing(t, "localstack", err)
	}
	for _, check := range [][]string{
		{"ruff", "check", "--quiet"},
		{"ruff", "format", "--check", "--quiet"},
		{"mypy", "--no-error-summary"},
		{"pytest", "--quiet"},
	} {
		cmd := exec.CommandContext(t.Context(), python, append([]string{"-m"}, check...)...)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+path, "PYTHONDONTWRITEBYTECODE=1", "MILLRACE_KAFKA="+kafka)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", check, err, out)
		}
	}
}
