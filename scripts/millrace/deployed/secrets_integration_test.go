//go:build integration

package deployed

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/localstack/harness"
)

// TestIntegrationNoSecretIsPrinted runs every command that reads a secret, well and with
// everything about it wrong, and looks for the password in all that it writes.
func TestIntegrationNoSecretIsPrinted(t *testing.T) {
	cfg, mongo := harness.AWS(t), harness.Mongo(t)
	bin := filepath.Join(build(t), "millrace")
	s, err := deploy(t, cfg, mongo)
	if err != nil {
		t.Fatal(err)
	}
	wrong := func(old, changed string) string { return "--mongo=" + strings.Replace(s.uri, old, changed, 1) }
	for what, flag := range map[string]string{
		"the deployment's own": "--json=false",
		"JSON":                 "--json",
		"an unknown user":      wrong("millrace:", "nobody:"),
		"another server":       wrong(mongo[len("mongodb://"):], "127.0.0.1:1/x"),
		"no scheme":            wrong("mongodb://", ""),
		"a bad port":           wrong("@127.0.0.1:", "@127.0.0.1:x"),
		"a bad option":         wrong("?", "?maxPoolSize=many&"),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			good := strings.HasPrefix(flag, "--json")
			commands := [][]string{{"status"}, {"events", "count"}, {"store", "init"}, {"status", "--help"}}
			if good { // what can only go well, or fails as those above do
				commands = append(commands, []string{"events", "list"}, []string{"store", "rebuild"}, []string{"dlq", "list"}, []string{"dlq", "redrive", "--execute"})
			}
			for _, command := range commands {
				cmd := exec.CommandContext(t.Context(), bin, append(command, "--target=localstack", "--env="+s.env, flag)...)
				cmd.Env = append(os.Environ(), s.environ()...)
				out, err := cmd.CombinedOutput()
				if bytes.Contains(out, []byte(s.password)) {
					t.Errorf("%v prints the password", command)
				}
				if good && err != nil {
					t.Errorf("%v: %v\n%s", command, err, out)
				}
			}
		})
	}
}
