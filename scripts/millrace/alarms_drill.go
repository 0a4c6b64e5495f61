package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/alarm"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func newAlarmsTest(e env, g *globalOptions) *cobra.Command {
	var stage string
	c := &cobra.Command{
		Use:   "test NAME",
		Short: "Make an alarm fire on made-up data, and show the page",
		Long: "Give an alarm made-up data that breach its threshold until it fires, show the page that goes out, and give it good data until it clears. " +
			"The table, the expression and the evaluation are the real ones; data and clock are not. Nothing of the pipeline is touched, and nobody is paged.\n\n" +
			"With --json: {\"alarm\", \"stage\", \"fired_after_seconds\", \"cleared_after_seconds\", \"page\"}.",
		Example:           "  millrace alarms test breaker-open\n  millrace alarms test dlq-growing --stage process",
		Args:              oneArg("the name of an alarm, as `millrace alarms list` has it"),
		ValidArgsFunction: completeAlarms,
		RunE:              func(c *cobra.Command, args []string) error { return runAlarmsTest(c.Context(), e, g, args[0], stage) },
	}
	c.Flags().StringVar(&stage, "stage", "", "the alarm of this `stage`; \"\": of the first that it is for")
	return embeddedOnly(g, c)
}

// drillJSON is what --json writes.
type drillJSON struct {
	Alarm        string  `json:"alarm"`
	Stage        string  `json:"stage"`
	FiredAfter   float64 `json:"fired_after_seconds"`
	ClearedAfter float64 `json:"cleared_after_seconds"`
	Page         string  `json:"page"`
}

func runAlarmsTest(ctx context.Context, e env, g *globalOptions, name, stage string) error {
	a, stage, err := alarmNamed(name, stage)
	if err != nil {
		return err
	}
	d, err := alarm.Drill(ctx, a, stage, nil, 1)
	if err != nil {
		return err
	}
	page := spec.Page{Stage: stage, Alarm: a}.Fired(d.Fired.Values())
	if g.json {
		return writeJSON(e.stdout, drillJSON{a.Name, stage, d.Fired.After.Seconds(), d.Cleared.After.Seconds(), page})
	}
	_, err = fmt.Fprintf(e.stdout, "fires %s after the data begin to breach:\n\n%s\n\nclears %s after they are good again\n",
		age(d.Fired.After), page, age(d.Cleared.After))
	return err
}
