package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/alarm"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

type alarmsTestOptions struct {
	stage   string
	execute bool
}

func newAlarmsTest(e env, g *globalOptions) *cobra.Command {
	var o alarmsTestOptions
	c := &cobra.Command{
		Use:   "test NAME",
		Short: "Make an alarm fire, and follow the page to its end",
		Long: "Make an alarm fire, and follow the page to its end.\n\n" +
			"For the pipeline on this machine: give the alarm made-up data that breach its threshold until it fires, show the page that goes out, and give it good data until it clears. " +
			"The table, the expression and the evaluation are the real ones; data and clock are not. Nothing of the pipeline is touched, and nobody is paged.\n\n" +
			"For a deployed pipeline: set the alarm to ALARM in CloudWatch, wait for the composite alarm that pages for it and for the page itself, of which a copy is in the queue pages, and set the alarm back to OK. " +
			"People are paged, so on AWS nothing is done without --execute: tell them first. What does not arrive is named, with where to look. It takes no data of the pipeline and changes none.\n\n" +
			"With --json: {\"alarm\", \"stage\", \"fired_after_seconds\", \"cleared_after_seconds\", \"page\"}; of a deployed pipeline {\"executed\", \"alarm\", \"stage\", \"pager\", \"steps\": [{\"after_seconds\", \"what\"}], \"subject\"}.",
		Example: "  millrace alarms test breaker-open\n  millrace alarms test dlq-growing --stage process\n" +
			"  millrace alarms test dlq-age --target aws --env prod --execute",
		Args:              oneArg("the name of an alarm, as `millrace alarms list` has it"),
		ValidArgsFunction: completeAlarms,
		RunE: func(c *cobra.Command, args []string) error {
			a, stage, err := alarmNamed(args[0], o.stage)
			if err != nil {
				return err
			}
			t, err := newTarget(e, g)
			if err != nil {
				return err
			}
			defer t.close()
			if deployed, ok := t.(*deployedTarget); ok {
				return drillDeployed(c.Context(), e, g, deployed, a, stage, o.execute)
			}
			return runAlarmsTest(c.Context(), e, g, a, stage)
		},
	}
	c.Flags().StringVar(&o.stage, "stage", "", "the alarm of this `stage`; \"\": of the first that it is for")
	c.Flags().BoolVar(&o.execute, "execute", false, "do it on AWS: people are paged")
	return c
}

// drillJSON is what --json writes for the pipeline on this machine.
type drillJSON struct {
	Alarm        string  `json:"alarm"`
	Stage        string  `json:"stage"`
	FiredAfter   float64 `json:"fired_after_seconds"`
	ClearedAfter float64 `json:"cleared_after_seconds"`
	Page         string  `json:"page"`
}

func runAlarmsTest(ctx context.Context, e env, g *globalOptions, a spec.Alarm, stage string) error {
	d, err := alarm.Drill(ctx, a, stage, nil, 1)
	if err != nil {
		return err
	}
	page := spec.Page{Stage: stage, Alarm: a}.Fired(d.Fired.Values())
	if g.json {
		return writeJSON(e.stdout, drillJSON{a.Name, stage, d.Fired.After.Seconds(), d.Cleared.After.Seconds(), page})
	}
	_, err = fmt.Fprintf(e.stdout, "fires %s after the data begin to breach:\n\n%s\n\nclears %s after they are good again\n",
		spec.FormatAge(d.Fired.After), page, spec.FormatAge(d.Cleared.After))
	return err
}
