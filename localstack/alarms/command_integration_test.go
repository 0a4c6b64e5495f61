//go:build integration

package alarms

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/localstack/host"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// command: `millrace alarms test` follows an alarm to its page, which stays in the queue
// for others, and back.
func (d *deployment) command(t *testing.T) {
	out := d.cli(t, "alarms", "test", "dlq-age", "--stage", spec.Persist)
	for _, want := range []string{"people are paged", "dlq-age", "persist-p4", "P4", "OK"} {
		if !strings.Contains(out, want) {
			t.Errorf("millrace alarms test does not say %q:\n%s", want, out)
		}
	}
	d.awaitOver(t, 30*time.Second)
	if n := d.pager.opened()[spec.PagerName(d.Env, spec.Persist, spec.P4)]; n != 1 {
		t.Errorf("%d pages are left in the queue, want 1", n)
	}
	d.pager.forget()
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
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.millrace, append(args, "--target", "localstack", "--env", d.Env)...)
	cmd.Env = append(os.Environ(), host.LocalStackEnv(*d.AWS.BaseEndpoint)...)
	var messages strings.Builder
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("millrace %v: %v\n%s%s", args, err, out, messages.String())
	}
	return string(out)
}
