package main

import (
	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

func newAlarms(e env, g *globalOptions) *cobra.Command {
	return group(&cobra.Command{
		Use:   "alarms",
		Short: "Show the alarms: what fires, what it means, and what to run first",
		Long:  "Show the alarms: what fires, what it means, and what to run first. They are the same on every target; docs/ALARMS.md has all of them.",
	}, newAlarmsList(e, g), newAlarmsShow(e, g), newAlarmsTest(e, g))
}

// alarmNamed is the alarm of a name, and the stage that is meant: the one given, else the
// first that the alarm is for.
func alarmNamed(name, stage string) (spec.Alarm, string, error) {
	a, ok := spec.AlarmByName(name)
	if !ok {
		hint := didYouMean(name, alarmNames())
		if hint == "" {
			hint = ": `millrace alarms list --all` has them"
		}
		return a, "", usageError("there is no alarm %q%s", name, hint)
	}
	if stage == "" {
		return a, a.Stages[0], nil
	}
	return a, stage, oneOf("--stage", stage, a.Stages)
}

func alarmNames() []string {
	names := make([]string, len(spec.Alarms))
	for i, a := range spec.Alarms {
		names[i] = a.Name
	}
	return names
}

func completeAlarms(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return alarmNames(), cobra.ShellCompDirectiveNoFileComp
}

func severityNames() []string {
	names := make([]string, len(spec.Severities))
	for i, s := range spec.Severities {
		names[i] = s.Name
	}
	return names
}
