package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/oncall"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

type ackOptions struct {
	page string
	by   string
	note string
}

func newAck(e env, g *globalOptions) *cobra.Command {
	var o ackOptions
	c := &cobra.Command{
		Use:   "ack PAGE",
		Short: "Acknowledge a page: you have it, and it goes to nobody else",
		Long: "Acknowledge a page: say that you have it. It then goes to nobody else; whoever was paged after the first is told.\n\n" +
			"PAGE is the name in the page, such as persist-p1, or its whole id. " +
			"The page stays open until its alarm is OK again, and a new fault after that is a new page. `millrace pages` lists those that are open.\n\n" +
			"With --json: the page, as in `millrace pages --json`.",
		Example: "  millrace ack persist-p1 --target aws --env prod\n" +
			"  millrace ack persist-p1 --target aws --by ada --note 'MongoDB fails over, watching it'",
		Args:        oneArg("the name of a page"),
		Annotations: exits(exitNotFound),
		RunE: func(c *cobra.Command, args []string) error {
			o.page = args[0]
			return runAck(c.Context(), e, g, o)
		},
	}
	c.Flags().StringVar(&o.by, "by", "", "your `name`, as the others read it; by default the one you are logged in with")
	c.Flags().StringVar(&o.note, "note", "", "a `text` for the others")
	return c
}

func runAck(ctx context.Context, e env, g *globalOptions, o ackOptions) error {
	if o.by == "" {
		o.by = e.user()
	}
	if o.by == "" {
		return usageError("who are you? Say it with --by")
	}
	a, err := askOnCall(ctx, e, g, oncall.Request{Ack: &oncall.AckRequest{Page: o.page, By: o.by, Note: o.note}})
	if err != nil {
		return err
	}
	if a.Refused != "" {
		return refusedAck(o.page, a)
	}
	if len(a.Pages) != 1 || a.Pages[0].Acked == nil {
		return errors.New("on-call gave no answer that says that the page is acknowledged: see `millrace pages`")
	}
	page := a.Pages[0]
	if g.json {
		return writeJSON(e.stdout, page)
	}
	if page.Acked.By != o.by {
		_, err = fmt.Fprintf(e.stdout, "%s is acknowledged already: by %s, %s ago\n", cell(page.Name), cell(page.Acked.By), spec.FormatAge(e.now().Sub(page.Acked.At)))
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s is yours: %s, open for %s; it goes to nobody else\n", cell(page.Name), page.Severity, spec.FormatAge(e.now().Sub(page.Opened)))
	return err
}

// refusedAck says why not, and which pages are open.
func refusedAck(page string, a oncall.Answer) error {
	if !a.NotFound {
		return errors.New(a.Refused)
	}
	if len(a.Pages) == 0 {
		return &exitError{exitNotFound, fmt.Errorf("no page %q is open: none is", page)}
	}
	var names []string
	for _, p := range a.Pages {
		names = append(names, p.Name)
	}
	return &exitError{exitNotFound, fmt.Errorf("no page %q is open; these are: %s", page, strings.Join(names, ", "))}
}

// user is who runs the command, as the environment has it: "" where it does not.
func (e env) user() string {
	for _, name := range []string{"USER", "LOGNAME", "USERNAME"} {
		for _, kv := range e.environ {
			if v, ok := strings.CutPrefix(kv, name+"="); ok && v != "" {
				return v
			}
		}
	}
	return ""
}
