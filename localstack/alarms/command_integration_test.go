//go:build integration

package alarms

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/localstack/host"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// command: `millrace alarms test` follows an alarm to its page, which stays in the queue
// for others, and back. On AWS it does
// nothing before --execute.
func (d *deployment) command(t *testing.T) {
	const name = "persist-p4"
	out := d.cli(t, "alarms", "test", "dlq-age", "--stage", spec.Persist)
	t.Logf("millrace alarms test:\n%s", out)
	checkSteps(t, out, "people are paged", spec.AlarmName(d.Env, spec.Persist, "dlq-age")+" is set to ALARM", name+" is ALARM",
		"page: ALARM: P4 "+name, "is set back to OK", name+" is OK", "page: OK: P4 "+name)
	out = d.cli(t, "alarms", "test", "stalled", "--stage", spec.Process, "--json")
	var result struct {
		Executed bool
		Steps    []struct{ What string }
		Subject  string
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil || !result.Executed || len(result.Steps) != 6 || !strings.HasPrefix(result.Subject, "ALARM: P1 process-p1 ") {
		t.Errorf("%v: %s", err, out)
	}
	if out := d.cliOn(t, "aws", "alarms", "test", "dlq-age"); !strings.Contains(out, "Nothing was done yet") || strings.Contains(out, "is set to") {
		t.Errorf("on AWS without --execute: %s", out)
	}
	d.ends(t, nil)
}

// checkSteps finds texts in this order.
func checkSteps(t *testing.T, out string, steps ...string) {
	t.Helper()
	rest := out
	for _, want := range steps {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Errorf("no %q, or not in its place, in:\n%s", want, out)
		}
		rest = after
	}
}

// silent: when on-call does not run, its own alarm pages without it.
func (d *deployment) silent(t *testing.T) {
	d.schedule.stop(t, spec.OnCall)
	d.fires(t, 100*time.Second, the(t, spec.OnCall, "on-call-silent")...)
	d.schedule.start(t, spec.OnCall)
	d.ends(t, nil)
}

// cli runs millrace on the deployment and returns what it printed.
func (d *deployment) cli(t *testing.T, args ...string) string {
	t.Helper()
	return d.cliOn(t, "localstack", args...)
}

// cliOn names the kind of target: at the LocalStack, whichever it is.
func (d *deployment) cliOn(t *testing.T, target string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.millrace, append(args, "--target", target, "--env", d.Env)...)
	cmd.Env = append(os.Environ(), host.LocalStackEnv(*d.AWS.BaseEndpoint)...)
	var messages strings.Builder
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("millrace %v: %v\n%s%s", args, err, out, messages.String())
	}
	return string(out)
}
