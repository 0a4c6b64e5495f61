//go:build integration

package alarms

import (
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// command: `millrace alarms test` follows an alarm to its page, which stays in the queue
// for others, and back. On AWS it does nothing before --execute, and nowhere what cannot
// show anything.
func (d *deployment) command(t *testing.T) {
	const name = "persist-p4"
	out := d.millrace.Run(t, "alarms", "test", "dlq-age", "--stage", spec.Persist)
	t.Logf("millrace alarms test:\n%s", out)
	checkSteps(t, out, "people are paged", spec.AlarmName(d.Env, spec.Persist, "dlq-age")+" is set to ALARM", name+" is ALARM",
		"page: ALARM: P4 "+name, "is set back to OK", name+" is OK", "page: OK: P4 "+name)
	var result struct {
		Executed bool
		Steps    []struct{ What string }
		Subject  string
	}
	d.millrace.JSON(t, &result, "alarms", "test", "stalled", "--stage", spec.Process)
	if !result.Executed || len(result.Steps) != 6 || !strings.HasPrefix(result.Subject, "ALARM: P1 process-p1 ") {
		t.Errorf("millrace alarms test --json: %+v", result)
	}
	if out := d.millrace.Run(t, "alarms", "test", "dlq-age", "--target", "aws"); !strings.Contains(out, "Nothing was done yet") || strings.Contains(out, "is set to") {
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
