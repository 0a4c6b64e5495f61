package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/alarm"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

type alarmsListOptions struct {
	all      bool
	stage    string
	severity string
	history  int
}

func newAlarmsList(e env, g *globalOptions) *cobra.Command {
	var o alarmsListOptions
	c := &cobra.Command{
		Use:   "list",
		Short: "List the alarms that fire",
		Long: "List the alarms that fire, the most urgent first: since when, the value and the threshold, and what to run first. " +
			"--all lists the quiet ones too, --history what changed before.\n\n" +
			"On this machine the running pipeline judges its alarms once a minute; this command judges them once more, so it is right for a pipeline that has stopped, too: " +
			"then the monitor is silent, and that is an alarm. Of a deployed pipeline it shows what CloudWatch says; the values are then those at the last change.\n\n" +
			"With --json: {\"alarms\": [{\"alarm\", \"stage\", \"severity\", \"state\", \"since\", \"measured\", \"command\", \"conditions\": " +
			"[{\"name\", \"state\", \"value\", \"threshold\"}]}], \"pages\": [{\"stage\", \"severity\", \"firing\"}], \"history\": […]}. " +
			"An alarm with \"measured\" false has no data on this target, and its state means nothing.",
		Example: "  millrace alarms list\n" +
			"  millrace alarms list --all --stage persist\n" +
			"  millrace alarms list --history 20\n" +
			"  millrace alarms list --json | jq '.pages'",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runAlarmsList(c.Context(), e, g, o) },
	}
	c.Flags().BoolVar(&o.all, "all", false, "list those that are quiet, too")
	c.Flags().StringVar(&o.stage, "stage", "", "those of this `stage`: "+strings.Join(spec.AlarmStages, ", "))
	c.Flags().StringVar(&o.severity, "severity", "", "those of this `severity`: "+strings.Join(severityNames(), ", "))
	c.Flags().IntVar(&o.history, "history", 0, "list the last `N` changes, too")
	complete(c, "stage", spec.AlarmStages)
	complete(c, "severity", severityNames())
	return c
}

// alarmsJSON is what --json writes.
type alarmsJSON struct {
	Alarms  []alarm.Status     `json:"alarms"`
	Pages   []alarm.PagerState `json:"pages"`
	History []alarm.Change     `json:"history"`
}

func runAlarmsList(ctx context.Context, e env, g *globalOptions, o alarmsListOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	t, done, err := newAlarmed(e, g)
	if err != nil {
		return err
	}
	defer done()
	states, err := t.alarms(ctx, o.history)
	if err != nil {
		return err
	}
	all := states.statuses
	out := alarmsJSON{Alarms: []alarm.Status{}, Pages: []alarm.PagerState{}, History: []alarm.Change{}}
	for i := range all {
		if o.wanted(all[i].Stage, all[i].Severity) && (o.all || all[i].Measured && all[i].State == alarm.InAlarm) {
			out.Alarms = append(out.Alarms, all[i])
		}
	}
	slices.SortStableFunc(out.Alarms, func(a, b alarm.Status) int { return strings.Compare(a.Severity, b.Severity) })
	for _, p := range alarm.Pagers(all) {
		if o.wanted(p.Stage, p.Severity) {
			out.Pages = append(out.Pages, p)
		}
	}
	for _, c := range states.history {
		if o.wanted(c.Stage, c.Severity) {
			out.History = append(out.History, c)
		}
	}
	if states.remark != "" {
		fmt.Fprintln(e.stderr, states.remark)
	}
	if g.json {
		return writeJSON(e.stdout, &out)
	}
	return out.write(e)
}

func (o *alarmsListOptions) check() error {
	if o.stage != "" {
		if err := oneOf("--stage", o.stage, spec.AlarmStages); err != nil {
			return err
		}
	}
	if o.severity != "" {
		if err := oneOf("--severity", o.severity, severityNames()); err != nil {
			return err
		}
	}
	if o.history < 0 {
		return usageError("--history is %d: it must be 0 or more", o.history)
	}
	return nil
}

func (o *alarmsListOptions) wanted(stage, severity string) bool {
	return (o.stage == "" || o.stage == stage) && (o.severity == "" || o.severity == severity)
}

func (a *alarmsJSON) write(e env) error {
	switch {
	case len(a.Alarms) > 0:
		if err := statusTable(a.Alarms, e.now()).write(e.stdout); err != nil {
			return err
		}
	default:
		fmt.Fprintln(e.stderr, "no alarm fires")
	}
	if len(a.History) == 0 {
		return nil
	}
	fmt.Fprintln(e.stdout)
	return writeHistory(e.stdout, a.History)
}

func statusTable(alarms []alarm.Status, now time.Time) *table {
	t := newTable("SEVERITY", "STAGE", "ALARM", "STATE", ">SINCE", "VALUE (THRESHOLD)", "RUN FIRST")
	for i := range alarms {
		s := &alarms[i]
		state, since := string(s.State), "-"
		if !s.Since.IsZero() {
			since = spec.FormatAge(now.Sub(s.Since))
		}
		if !s.Measured {
			state, since = "not measured here", "-"
		}
		t.add(s.Severity, s.Stage, s.Alarm, state, since, valuesOf(s.Alarm, s.Conditions), s.Command)
	}
	return t
}

func writeHistory(w io.Writer, changes []alarm.Change) error {
	t := newTable("CHANGED", "SEVERITY", "STAGE", "ALARM", "FROM", "TO", "VALUE (THRESHOLD)")
	for i := range changes {
		c := &changes[i]
		t.add(timestamp(c.At), c.Severity, c.Stage, c.Alarm, string(c.From), string(c.To), valuesOf(c.Alarm, c.Conditions))
	}
	return t.write(w)
}

// valuesOf writes the values of conditions: "12.5 (> 10) %".
func valuesOf(name string, conditions []alarm.ConditionStatus) string {
	a, _ := spec.AlarmByName(name)
	var parts []string
	for i, c := range conditions {
		if i >= len(a.When) {
			break // saved by another version
		}
		value := "no data"
		if c.Value != nil {
			value = short64(*c.Value)
		}
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s (%s %s) %s", value, a.When[i].Compare.Symbol(), short64(c.Threshold), a.When[i].Unit)))
	}
	return strings.Join(parts, ", ")
}

// short64 writes a value with two digits after the point at most.
func short64(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', 2, 64), "0"), ".")
}
