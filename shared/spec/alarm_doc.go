package spec

import (
	"fmt"
	"slices"
	"strings"
)

// AlarmsMarkdown is the page of the alarms: severities, SLOs, one section for each alarm,
// and the thresholds.
func AlarmsMarkdown() string {
	var b strings.Builder
	severities(&b)
	slos(&b)
	fmt.Fprintf(&b, "\n## All alarms\n\n| alarm | severity | for | fires when |\n|---|---|---|---|\n")
	for _, a := range Alarms {
		fmt.Fprintf(&b, "| [%s](#%[1]s) | %s | %s | %s |\n", a.Name, a.Severity, strings.Join(a.Stages, ", "), strings.Join(inWords(a), " **and** "))
	}
	for _, a := range Alarms {
		section(&b, a)
	}
	thresholds(&b)
	return b.String()
}

func severities(b *strings.Builder) {
	b.WriteString("## Severities\n\n| severity | | respond within | who, one after another | meaning |\n|---|---|---|---|---|\n")
	for _, s := range Severities {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", s.Name, s.Label, s.Within(), strings.Join(s.Chain, ", "), s.Meaning)
	}
}

func slos(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Service level objectives\n\nOver %s. `millrace slo` shows what is left of each error budget.\n\n| SLO | target | alert threshold | meaning |\n|---|---|---|---|\n", words(SLOWindow))
	for _, s := range SLOs {
		target := FormatNumber(s.Target) + " %"
		if s.Rate > 0 {
			target = withUnit(s.Rate, "events/s")
		}
		t, _ := ThresholdByName(s.Alert)
		fmt.Fprintf(b, "| %s | %s | `%s`: %s | %s |\n", s.Name, target, t.Name, withUnit(t.Default, t.Unit), s.Meaning)
	}
}

// inWords are the conditions of an alarm for any of its stages.
func inWords(a Alarm) []string {
	stage := a.Stages[0]
	lines := Page{Stage: stage, Alarm: a}.Conditions()
	if len(a.Stages) > 1 {
		for i := range lines {
			lines[i] = strings.ReplaceAll(lines[i], " of the queue "+stage, " of the stage's queue")
			lines[i] = strings.ReplaceAll(lines[i], " of the topic "+stage, " of the stage's topic")
			lines[i] = strings.ReplaceAll(lines[i], " of the function "+stage, " of the stage's function")
			lines[i] = strings.ReplaceAll(lines[i], " of "+stage, " of STAGE")
		}
	}
	return lines
}

func section(b *strings.Builder, a Alarm) {
	s, _ := SeverityByName(a.Severity)
	fmt.Fprintf(b, "\n## %s\n\n**%s** (%s), respond within %s. For: %s.", a.Name, a.Severity, s.Label, s.Within(), strings.Join(a.Stages, ", "))
	if a.Needs != NeedsNothing {
		fmt.Fprintf(b, " Only with: %s.", a.Needs)
	}
	fmt.Fprintf(b, "\n\n%s\n\nRun first: `%s`\n", a.Meaning, a.Command)
	list(b, "Fires when", inWords(a))
	list(b, "Likely causes", a.Causes)
	list(b, "Diagnosis", a.Diagnose)
	list(b, "Fix", a.Fix)
	var missing []string
	for i, c := range a.When {
		name := ""
		if c.Name != "" {
			name = "`" + c.Name + "`: "
		}
		m := fmt.Sprintf("%sa period without data counts as `%s`. %s", name, c.Missing, c.MissingWhy)
		if c.LowSamples != "" {
			m += " A percentile of few values counts like any other."
		}
		if i == 0 || !slices.Contains(missing, m) {
			missing = append(missing, m)
		}
	}
	list(b, "Missing data", missing)
	switch a.Mute {
	case MuteInDeploy:
		fmt.Fprintf(b, "\nDuring a deployment, and %s after it: silent.\n", words(MuteAfter))
	default:
		b.WriteString("\nDuring a deployment: pages as ever, since a deployment must not cause it.\n")
	}
}

func list(b *strings.Builder, title string, items []string) {
	fmt.Fprintf(b, "\n%s:\n\n", title)
	for _, i := range items {
		fmt.Fprintf(b, "- %s\n", i)
	}
}

func thresholds(b *strings.Builder) {
	b.WriteString("\n## Thresholds\n\nA deployment may choose them.\n\n| threshold | default | allowed | meaning |\n|---|---|---|---|\n")
	for _, t := range Thresholds {
		unit := ""
		if t.Unit != "" {
			unit = " " + t.Unit
		}
		fmt.Fprintf(b, "| `%s` | %s%s | %s to %s | %s |\n", t.Name, FormatNumber(t.Default), unit, FormatNumber(t.Min), FormatNumber(t.Max), t.Meaning)
	}
}
