package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/alarm"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func newSLO(e env, g *globalOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "slo",
		Short: "Show what is left of each error budget, and how fast it goes",
		Long: "Show each service level objective: what was achieved, what is left of its error budget, and its burn rates. " +
			"A burn rate of 1 spends exactly the whole budget in the 30 days of the objective; 14.4 spends it in two days. " +
			"The throughput has no budget: its best minute of the last day is shown, which says what the pipeline can do only if there was work for it.\n\n" +
			"The pipeline on this machine keeps 15 days of its metrics; the rest of the 30 counts as nothing. Of a deployed pipeline the last five minutes may be missing.\n\n" +
			"With --json: {\"slos\": [{\"name\", \"target\", \"total\", \"bad\", \"achieved\", \"budget_left\", \"burning\": [{\"window_seconds\", \"rate\"}]}]}. What is not known is null.",
		Example: "  millrace slo\n  millrace slo --json | jq '.slos[] | {name, budget_left}'",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runSLO(c.Context(), e, g) },
	}
}

func runSLO(ctx context.Context, e env, g *globalOptions) error {
	t, done, err := newAlarmed(e, g)
	if err != nil {
		return err
	}
	defer done()
	counts, err := t.counts(ctx)
	if err != nil {
		return err
	}
	slos, err := alarm.SLOs(ctx, counts, sloTime(e))
	if err != nil {
		return err
	}
	if g.json {
		return writeJSON(e.stdout, map[string]any{"slos": slos})
	}
	return sloTable(slos).write(e.stdout)
}

func sloTable(slos []alarm.SLOStatus) *table {
	header := []string{"SLO", ">TARGET", ">ACHIEVED", ">BAD", ">TOTAL", ">BUDGET LEFT"}
	for _, b := range slos[0].Burning {
		header = append(header, ">BURN "+shortWindow(b.Window))
	}
	t := newTable(header...)
	for i := range slos {
		s := &slos[i]
		row := []string{s.Name, inUnit(s.Name, &s.Target), inUnit(s.Name, s.Achieved), number(int64(s.Bad)), number(int64(s.Total)), known(s.BudgetLeft, percent)}
		if s.BudgetLeft == nil && s.Target > 100 {
			row[3] = "-"
		}
		for _, b := range s.Burning {
			row = append(row, known(b.Rate, short64))
		}
		for len(row) < len(header) {
			row = append(row, "-")
		}
		t.add(row...)
	}
	return t
}

func inUnit(name string, v *float64) string {
	if name == spec.SLOThroughput {
		return known(v, func(v float64) string { return number(int64(v)) + "/s" })
	}
	return known(v, func(v float64) string { return spec.FormatNumber(float64(int64(v*1000+0.5))/1000) + " %" })
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", v) }

// shortWindow of a whole number of minutes: 5m, 6h, 3d.
func shortWindow(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
}
