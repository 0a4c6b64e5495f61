package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/oncall"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func newPages(e env, g *globalOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "pages",
		Short: "List the open pages: who has them, and who is next",
		Long: "List the open pages, the most urgent first: what is wrong, who has acknowledged it or whom it goes to next, and when.\n\n" +
			"With --json: {\"pages\": […]}.",
		Example: "  millrace pages --target aws --env prod\n" +
			"  millrace pages --target aws --json | jq '.pages[] | select(.acked == null)'",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runPages(c.Context(), e, g) },
	}
}

func runPages(ctx context.Context, e env, g *globalOptions) error {
	a, err := askOnCall(ctx, e, g, oncall.Request{Pages: true})
	if err != nil {
		return err
	}
	if a.Refused != "" {
		return errors.New(a.Refused)
	}
	if g.json {
		return writeJSON(e.stdout, a)
	}
	if len(a.Pages) == 0 {
		_, err := fmt.Fprintln(e.stdout, "no page is open")
		return err
	}
	t := newTable("PAGE", "SEVERITY", ">OPEN FOR", "WHO", "ALARMS")
	for _, p := range a.Pages {
		t.add(p.Name, p.Severity, spec.FormatAge(e.now().Sub(p.Opened)), whoHas(p, e.now()), strings.Join(faultNames(p), ", "))
	}
	return t.write(e.stdout)
}

// whoHas the page, or gets it.
func whoHas(p oncall.View, now time.Time) string {
	switch {
	case p.Acked != nil && p.Acked.Note != "":
		return fmt.Sprintf("%s: %s", p.Acked.By, short(p.Acked.Note, 60))
	case p.Acked != nil:
		return p.Acked.By
	case p.Next != nil && p.Next.At.After(now):
		return fmt.Sprintf("nobody; %s in %s", p.Next.Role, spec.FormatAge(p.Next.At.Sub(now)))
	case p.Next != nil:
		return fmt.Sprintf("nobody; %s now", p.Next.Role)
	default:
		return "nobody"
	}
}

// faultNames are the alarms behind a page, without the prefix that its own name lacks too.
func faultNames(p oncall.View) []string {
	prefix := strings.TrimSuffix(p.Alarm, p.Name)
	var names []string
	for _, f := range p.Faults {
		names = append(names, strings.TrimPrefix(f.Alarm, prefix))
	}
	return names
}
