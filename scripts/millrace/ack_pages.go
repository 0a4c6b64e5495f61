package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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
			"Of some pages nobody is told. Those of a new deployment are held until all its alarms were OK once, or for half an hour; those of alarms that a deployment mutes are muted until it has ended.\n\n" +
			"With --json: {\"pages\": […], \"pages_from\"}. A page has \"held\" or \"muted\" where nobody is told of it, and \"why\"; \"pages_from\" is there while pages are held, and says until when at the latest.",
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
	return showPages(e.stdout, a, e.now())
}

// showPages to a person, with why nobody is told of some.
func showPages(w io.Writer, a oncall.Answer, now time.Time) error {
	if len(a.Pages) == 0 {
		text := "no page is open\n"
		if a.PagesFrom != nil {
			text += oncall.NotWhole(*a.PagesFrom) + "\n"
		}
		_, err := io.WriteString(w, text)
		return err
	}
	t := newTable("PAGE", "SEVERITY", ">OPEN FOR", "WHO", "ALARMS")
	var whys []string
	for _, p := range a.Pages {
		t.add(p.Name, p.Severity, spec.FormatAge(now.Sub(p.Opened)), whoHas(p, now), strings.Join(faultNames(p), ", "))
		if why := quiet(p) + ": " + p.Why; p.Why != "" && !slices.Contains(whys, why) {
			whys = append(whys, why)
		}
	}
	if err := t.write(w); err != nil {
		return err
	}
	for _, why := range whys {
		if _, err := fmt.Fprintln(w, cell(why)); err != nil {
			return err
		}
	}
	return nil
}

// quiet is how it comes that nobody is told of the page; "" where people are.
func quiet(p oncall.View) string {
	switch {
	case p.Held:
		return "held"
	case !p.Muted.IsZero():
		return "muted"
	}
	return ""
}

// whoHas the page, or gets it.
func whoHas(p oncall.View, now time.Time) string {
	switch {
	case p.Acked != nil && quiet(p) != "":
		return fmt.Sprintf("%s (%s)", p.Acked.By, quiet(p))
	case quiet(p) != "":
		return "nobody: " + quiet(p)
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
