package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/metrics"
	"github.com/millrace-pipeline/millrace/shared/alarm"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

var commandInText = regexp.MustCompile("`(millrace [^`]+)`")

// Every command that an alarm names can be run as it stands: a person who is woken up must
// not find out that it does not exist.
func TestCommandsOfAlarmsExist(t *testing.T) {
	for _, a := range spec.Alarms {
		commands := []string{a.Command}
		for _, text := range append(append([]string{a.Meaning}, a.Diagnose...), a.Fix...) {
			for _, m := range commandInText.FindAllStringSubmatch(text, -1) {
				commands = append(commands, m[1])
			}
		}
		for _, line := range commands {
			if err := parses(line); err != nil {
				t.Errorf("%s: `%s`: %v", a.Name, line, err)
			}
		}
	}
}

// tree is every command, those of this change included whether or not newRoot has them yet.
func tree() *cobra.Command {
	root := newRoot(env{})
	for _, c := range alarmCommands(env{}, new(globalOptions)) {
		if found, _, err := root.Find([]string{c.Name()}); err != nil || found == root {
			root.AddCommand(c)
		}
	}
	return root
}

func alarmCommands(e env, g *globalOptions) []*cobra.Command {
	return []*cobra.Command{newAlarms(e, g), newSLO(e, g), newCost(e, g)}
}

// parses finds the command of a line and reads its flags and arguments, without running it.
func parses(line string) error {
	c, rest, err := tree().Find(strings.Fields(line)[1:])
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if !c.HasParent() || c.HasSubCommands() {
		return usageError("there is no such command")
	}
	return c.ValidateArgs(c.Flags().Args())
}

func TestParsesFindsWhatDoesNotExist(t *testing.T) {
	for _, line := range []string{"millrace nosuch", "millrace dlq nosuch", "millrace dlq", "millrace status --nosuch", "millrace dlq show", "millrace status now"} {
		if parses(line) == nil {
			t.Errorf("`%s` was accepted", line)
		}
	}
}

// The log queries that alarms name are those that there are.
var logQueryInText = regexp.MustCompile(`log query "([^"]+)"`)

func TestLogQueriesOfAlarms(t *testing.T) {
	known := map[string]bool{"errors by reason": true, "slowest invocations": true}
	for _, a := range spec.Alarms {
		for _, text := range append(a.Diagnose, a.Fix...) {
			for _, m := range logQueryInText.FindAllStringSubmatch(text, -1) {
				if !known[m[1]] {
					t.Errorf("%s: there is no log query %q", a.Name, m[1])
				}
			}
		}
	}
}

// runCommand runs a command and returns what it wrote.
func runCommand(t *testing.T, now time.Time, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	e := env{stdout: &out, stderr: &errs, now: func() time.Time { return now }, isTerminal: func(any) bool { return false }}
	var g globalOptions
	root := group(&cobra.Command{Use: "millrace", SilenceErrors: true, SilenceUsage: true}, alarmCommands(e, &g)...)
	root.PersistentFlags().StringVar(&g.data, "data", dataDefault, "")
	root.PersistentFlags().StringVar(&g.target, "target", targetEmbedded, "")
	root.PersistentFlags().StringVar(&g.env, "env", "", "")
	root.PersistentFlags().BoolVar(&g.json, "json", false, "")
	root.SetFlagErrorFunc(flagError)
	root.SetArgs(args)
	code = finish(e, root.ExecuteContext(context.Background()))
	return out.String(), errs.String(), code
}

// outage is a data directory in which an outage of the store was recorded: three quiet
// hours, then a quarter of an hour with an open breaker, up to end.
func outage(t *testing.T) (dir string, end time.Time) {
	t.Helper()
	dir = t.TempDir()
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	r, err := metrics.Open(t.Context(), filepath.Join(dir, "metrics.db"), metrics.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for m := range 195 {
		rep := pipeline.Report{Stage: spec.Persist, Events: 1000, Stored: 1000, Breaker: pipeline.BreakerClosed,
			Latency: []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}}
		beat := 1.0
		if m >= 180 {
			rep = pipeline.Report{Stage: spec.Persist, Events: 1000, Unstarted: 1000, Breaker: pipeline.BreakerOpen,
				Reasons: map[fault.Reason]int{fault.BreakerOpen: 1000}}
			beat = 0
		}
		r.Record(&rep)
		if err := r.Add(spec.Heartbeat, spec.Persist, beat); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, now.Add(5 * time.Second)
}

func TestAlarmsList(t *testing.T) {
	dir, now := outage(t)
	out, errs, code := runCommand(t, now, "alarms", "list", "--data", dir, "--stage", "persist", "--severity", "P1")
	if code != exitOK || !strings.Contains(errs, "nothing is running in "+dir) {
		t.Fatalf("%d %s", code, errs)
	}
	for _, want := range []string{"SEVERITY", "P1", "breaker-open", "1 (≥ 1)", "store-unreachable", "0 (< 1)", "millrace status"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "P2") || strings.Contains(out, "ingest") {
		t.Errorf("not what was asked for:\n%s", out)
	}
	out, _, code = runCommand(t, now, "alarms", "list", "--data", dir, "--json", "--all", "--history", "1000")
	var all alarmsJSON
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != exitOK {
		t.Fatal(code, err)
	}
	if len(all.Alarms) < 80 || len(all.Pages) == 0 || len(all.History) == 0 {
		t.Errorf("%d alarms, %d pages, %d changes", len(all.Alarms), len(all.Pages), len(all.History))
	}
	for i := range all.Alarms {
		if a := &all.Alarms[i]; a.Alarm == "function-throttles" && a.Measured {
			t.Error("throttles are not measured on one machine")
		}
	}
}

func TestAlarmsListWithoutPipeline(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	for _, args := range [][]string{{"alarms", "list"}, {"slo"}} {
		_, errs, code := runCommand(t, time.Now(), append(args, "--data", dir)...)
		if code != exitFailure || !strings.Contains(errs, "no pipeline has run in "+dir) {
			t.Errorf("%q: %d %s", args, code, errs)
		}
	}
}

func TestAlarmsUsage(t *testing.T) {
	for want, args := range map[string][]string{
		`there is no alarm "breaker-opened": did you mean "breaker-open"?`:  {"alarms", "show", "breaker-opened"},
		`there is no alarm "x": ` + "`millrace alarms list --all` has them": {"alarms", "test", "x"},
		`--stage "persit" is unknown: did you mean "persist"?`:              {"alarms", "list", "--stage", "persit"},
		`--severity "P9" is unknown`:                                        {"alarms", "list", "--severity", "P9"},
		`--stage "ingest" is unknown: it is one of persist`:                 {"alarms", "show", "breaker-open", "--stage", "ingest"},
		`--history is -1`: {"alarms", "list", "--history", "-1"},
		`--rate is 0`:     {"cost", "--rate", "0"},
		`--size is 1e+06`: {"cost", "--size", "1000000"},
		`--region "mars" is unknown: it is one of us-east-1`: {"cost", "--region", "mars"},
	} {
		out, errs, code := runCommand(t, time.Now(), args...)
		if code != exitUsage || !strings.Contains(errs, want) || out != "" {
			t.Errorf("%q: %d %s%s", args, code, errs, out)
		}
	}
}

func TestAlarmsShow(t *testing.T) {
	out, _, code := runCommand(t, time.Now(), "alarms", "show", "dlq-growing", "--stage", "process")
	if code != exitOK || !strings.Contains(out, "dlq-growing of process, P3: respond within 4 hours, then the secondary on-call is paged\n") ||
		!strings.Contains(out, "process-dlq > 100 messages in 3 of 3 periods of 5 minutes") || !strings.Contains(out, "Run first: millrace dlq list\n") {
		t.Errorf("%d\n%s", code, out)
	}
	out, _, _ = runCommand(t, time.Now(), "alarms", "show", "dlq-growing", "--json")
	var a alarmJSON
	if err := json.Unmarshal([]byte(out), &a); err != nil || a.Severity != spec.P3 || len(a.Fix) == 0 || a.Next != spec.Secondary {
		t.Errorf("%v %+v", err, a)
	}
}

func TestAlarmsTest(t *testing.T) {
	out, _, code := runCommand(t, time.Now(), "alarms", "test", "breaker-open")
	for _, want := range []string{"fires 5m0s after", "P1 critical: persist breaker-open\n", "(threshold ≥ 1)\n", "Run first: millrace status\n", "clears 1m0s after"} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%d: no %q in\n%s", code, want, out)
		}
	}
	out, _, _ = runCommand(t, time.Now(), "alarms", "test", "error-burn-slow", "--stage", "persist", "--json")
	var d drillJSON
	if err := json.Unmarshal([]byte(out), &d); err != nil || d.Stage != spec.Persist || d.FiredAfter <= 0 || !strings.Contains(d.Page, "millrace slo") {
		t.Errorf("%v %+v", err, d)
	}
}

func TestSLO(t *testing.T) {
	dir, now := outage(t)
	out, _, code := runCommand(t, now, "slo", "--data", dir)
	if code != exitOK || !strings.Contains(out, "BURN 5m") || !strings.Contains(out, "BURN 3d") {
		t.Errorf("%d\n%s", code, out)
	}
	out, _, _ = runCommand(t, now, "slo", "--data", dir, "--json")
	var s struct {
		SLOs []struct {
			Name       string
			Total, Bad float64
			BudgetLeft *float64 `json:"budget_left"`
		}
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil || len(s.SLOs) != len(spec.SLOs) {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, x := range s.SLOs {
		if x.Name == spec.SLOErrorRate && (x.Total != 195_000 || x.Bad != 0 || x.BudgetLeft == nil || *x.BudgetLeft != 100) {
			t.Errorf("%+v", x)
		}
	}
}

func TestCost(t *testing.T) {
	out, _, code := runCommand(t, time.Now(), "cost")
	for _, want := range []string{"SNS: publish", "total", "30 days in us-east-1, 100000 events/s of 1.0 KiB, prices of " + pricesOf, "one event per message, Publish"} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%d: no %q in\n%s", code, want, out)
		}
	}
	out, _, _ = runCommand(t, time.Now(), "cost", "--msk", "--rate", "0.5", "--json")
	var c costJSON
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	msk := false
	for _, l := range c.Lines {
		sum += l.USD
		msk = msk || strings.HasPrefix(l.Item, "MSK")
	}
	if d := c.Total - sum; d > 0.1 || d < -0.1 || !msk {
		t.Errorf("total %v of %v, MSK %v", c.Total, sum, msk)
	}
}

func TestLastValue(t *testing.T) {
	for data, want := range map[string]string{
		"":  "-",
		"{": "-",
		`{"version":"1.0","recentDatapoints":[],"threshold":1}`: "-",
		`{"evaluatedDatapoints":[{"timestamp":"2026-11-24T03:02:00.000+0000","value":4.5},{"timestamp":"2026-11-24T03:01:00.000+0000","value":9},{"timestamp":"2026-11-24T03:03:00.000+0000"}]}`: "4.5",
	} {
		if got := known(lastValue(data), short64); got != want {
			t.Errorf("%s: %s, want %s", data, got, want)
		}
	}
}

// A deployment's alarms are found by their names; what it does not have is left out.
func TestDeployedStatus(t *testing.T) {
	limit := 7.0
	by := map[string]*awsio.AlarmState{
		"millrace-prod-process-stalled":                  {State: "OK", Since: time.Unix(1, 0)},
		"millrace-prod-process-stalled-waiting":          {State: "ALARM", Threshold: &limit, ReasonData: `{"evaluatedDatapoints":[{"timestamp":"t","value":8}]}`},
		"millrace-prod-process-stalled-nothing-finished": {State: "OK"},
	}
	a, _ := spec.AlarmByName("stalled")
	s, ok := deployedStatus("prod", spec.Process, a, by)
	if !ok || s.State != alarm.OK || len(s.Conditions) != 2 || s.Conditions[0].State != alarm.InAlarm || *s.Conditions[0].Value != 8 || s.Conditions[0].Threshold != 7 || s.Conditions[1].Value != nil {
		t.Errorf("%v %+v", ok, s)
	}
	if _, ok := deployedStatus("prod", spec.Persist, a, by); ok {
		t.Error("an alarm that is not there")
	}
	names := alarmNamesIn("prod")
	for name := range by {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not asked for", name)
		}
	}
}
