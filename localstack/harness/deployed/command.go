package deployed

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/localstack/host"
)

// BuildCommand builds the command line for the time of a test and returns its path.
func BuildCommand(t testing.TB) string {
	t.Helper()
	top, err := host.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "millrace")
	cmd := exec.Command("go", "build", "-o", bin, "./scripts/millrace")
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// Command is the command line at a deployment, wherever its LocalStack is. Its arguments
// get --env, and --target localstack where they name no target.
type Command struct {
	bin string
	p   *Pipeline
}

// Command builds the command line for the time of a test.
func (p *Pipeline) Command(t testing.TB) *Command { return &Command{bin: BuildCommand(t), p: p} }

// commandTimeout is longer than any command at a deployment of a few events takes.
const commandTimeout = 3 * time.Minute

// Output runs millrace with an input and returns what it wrote; err is an *exec.ExitError
// when it failed.
func (c *Command) Output(ctx context.Context, stdin string, args ...string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	args = append(slices.Clip(args), "--env", c.p.Env)
	if !slices.Contains(args, "--target") {
		args = append(args, "--target", "localstack")
	}
	cmd := exec.CommandContext(ctx, c.bin, args...)
	cmd.Env = append(os.Environ(), host.LocalStackEnv(*c.p.AWS.BaseEndpoint)...)
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// Run is Output without an input; it fails the test where millrace fails.
func (c *Command) Run(t testing.TB, args ...string) string {
	t.Helper()
	return c.Feed(t, "", args...)
}

// Feed is Run with an input.
func (c *Command) Feed(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, err := c.Output(t.Context(), stdin, args...)
	if err != nil {
		t.Fatalf("millrace %v: %v\n%s%s", args, err, stdout, stderr)
	}
	return stdout
}

// JSON is Run with --json, whose answer is read into answer.
func (c *Command) JSON(t testing.TB, answer any, args ...string) {
	t.Helper()
	out := c.Run(t, append(slices.Clip(args), "--json")...)
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		t.Fatalf("millrace %v: %v\n%s", args, err, out)
	}
}

// Refused runs a command that must fail and returns the message.
func (c *Command) Refused(t testing.TB, args ...string) string {
	t.Helper()
	stdout, stderr, err := c.Output(t.Context(), "", args...)
	if err == nil {
		t.Fatalf("millrace %v is done: %s", args, stdout)
	}
	return stderr
}
