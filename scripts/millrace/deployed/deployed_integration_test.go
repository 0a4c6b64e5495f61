//go:build integration

package deployed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/millrace-pipeline/millrace/localstack/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// build builds the command line once per test.
func build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "millrace"), "..").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// TestIntegrationDeployed drives the commands on a deployed pipeline: testdata/*.txtar.
func TestIntegrationDeployed(t *testing.T) {
	cfg, mongo := harness.AWS(t), harness.Mongo(t)
	bin := build(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			s, err := deploy(e.T().(testing.TB), cfg, mongo)
			if err != nil {
				return err
			}
			e.Values[stackKey{}] = s
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Vars = append(e.Vars, s.environ()...)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"dead-letters": scripted(deadLetters),
			"store-events": scripted(storeEvents),
			"metric":       scripted(putMetric),
			"queue":        scripted(wantQueue),
		},
	})
}

// stackKey finds the stack of a script among its values.
type stackKey struct{}

// scripted makes a command of a script: it works on the script's stack.
func scripted(f func(ts *testscript.TestScript, s *stack, args []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		if err := f(ts, ts.Value(stackKey{}).(*stack), args); err != nil {
			ts.Fatalf("%s", fmt.Errorf("%v: %w", args, err))
		}
	}
}
