package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

func newAlarmsShow(e env, g *globalOptions) *cobra.Command {
	var stage string
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Explain an alarm: what it means, likely causes, diagnosis, fix",
		Long: "Explain an alarm: what it means, when it fires, likely causes, diagnosis, fix, and the command to run first. It is the same text as in docs/ALARMS.md, and needs no pipeline.\n\n" +
			"With --json: {\"name\", \"stage\", \"severity\", \"respond_within\", \"next\", \"stages\", \"fires_when\", \"meaning\", \"causes\", \"diagnosis\", \"fix\", \"command\", \"page\"}.",
		Example:           "  millrace alarms show breaker-open\n  millrace alarms show error-rate-high --stage process",
		Args:              oneArg("the name of an alarm, as `millrace alarms list` has it"),
		ValidArgsFunction: completeAlarms,
		RunE:              func(_ *cobra.Command, args []string) error { return runAlarmsShow(e, g, args[0], stage) },
	}
	c.Flags().StringVar(&stage, "stage", "", "the alarm of this `stage`; \"\": of the first that it is for")
	return c
}

// alarmJSON is what --json writes.
type alarmJSON struct {
	Name      string   `json:"name"`
	Stage     string   `json:"stage"`
	Severity  string   `json:"severity"`
	Respond   string   `json:"respond_within"`
	Next      string   `json:"next"`
	Stages    []string `json:"stages"`
	FiresWhen []string `json:"fires_when"`
	Meaning   string   `json:"meaning"`
	Causes    []string `json:"causes"`
	Diagnosis []string `json:"diagnosis"`
	Fix       []string `json:"fix"`
	Command   string   `json:"command"`
	Page      string   `json:"page"`
}

func runAlarmsShow(e env, g *globalOptions, name, stage string) error {
	a, stage, err := alarmNamed(name, stage)
	if err != nil {
		return err
	}
	page := spec.Page{Stage: stage, Alarm: a}
	s, _ := spec.SeverityByName(a.Severity)
	out := alarmJSON{
		Name: a.Name, Stage: stage, Severity: a.Severity, Respond: s.Within(), Next: s.Next(), Stages: a.Stages, FiresWhen: page.Conditions(),
		Meaning: a.Meaning, Causes: a.Causes, Diagnosis: a.Diagnose, Fix: a.Fix, Command: a.Command, Page: page.Text(),
	}
	if g.json {
		return writeJSON(e.stdout, &out)
	}
	return out.write(e.stdout)
}

func (a *alarmJSON) write(w io.Writer) error {
	fmt.Fprintf(w, "%s of %s, %s: respond within %s", a.Name, a.Stage, a.Severity, a.Respond)
	if a.Next != "" {
		fmt.Fprintf(w, ", then the %s is paged", a.Next)
	}
	fmt.Fprintf(w, "\n\n%s\n\nRun first: %s\n", a.Meaning, a.Command)
	for _, l := range []struct {
		title string
		items []string
	}{{"Fires when", a.FiresWhen}, {"Likely causes", a.Causes}, {"Diagnosis", a.Diagnosis}, {"Fix", a.Fix}} {
		fmt.Fprintf(w, "\n%s:\n", l.title)
		for _, i := range l.items {
			if _, err := fmt.Fprintf(w, "  - %s\n", i); err != nil {
				return err
			}
		}
	}
	return nil
}
