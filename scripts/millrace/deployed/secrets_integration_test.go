//go:build integration

package deployed

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/spec"
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

// TestIntegrationStoreConnect: a string that is valid replaces the deployment's, another
// one does not, and neither is printed.
func TestIntegrationStoreConnect(t *testing.T) {
	cfg, mongo := harness.AWS(t), harness.Mongo(t)
	bin := filepath.Join(build(t), "millrace")
	s, err := deploy(t, cfg, mongo)
	if err != nil {
		t.Fatal(err)
	}
	rotated := s.uri + "&appName=rotated"
	for _, c := range []struct {
		uri, want string
		code      int
	}{
		{strings.Replace(s.uri, "@127.0.0.1:", "@127.0.0.1:x", 1), s.uri, 2},
		{rotated, rotated, 0},
	} {
		cmd := exec.CommandContext(t.Context(), bin, "store", "connect", "--target=localstack", "--env="+s.env)
		cmd.Env = append(append(os.Environ(), s.environ()...), "MONGODB_URI="+c.uri)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.code || bytes.Contains(out, []byte(s.password)) {
			t.Errorf("exit code %d, want %d: %s", cmd.ProcessState.ExitCode(), c.code, out)
		}
		secret := awsio.Secret{Client: secretsmanager.NewFromConfig(cfg), ID: spec.SecretName(s.env, spec.MongoSecret), Now: time.Now}
		if got, err := secret.Text(t.Context()); err != nil || got != c.want {
			t.Errorf("the secret is %q, %v", got, err)
		}
	}
}
