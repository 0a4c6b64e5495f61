package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

type eventsCountOptions struct {
	filterOptions
}

func newEventsCount(e env, g *globalOptions) *cobra.Command {
	var o eventsCountOptions
	c := &cobra.Command{
		Use:   "count",
		Short: "Count events",
		Long:  "Count the stored events that the flags select. With --json: {\"count\": N}.",
		Example: "  millrace events count\n" +
			"  millrace events count --tenant ua --from 2013-01-01 --to 2013-02-01 --json",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runEventsCount(c.Context(), e, g, o) },
	}
	o.add(c)
	return c
}

func runEventsCount(ctx context.Context, e env, g *globalOptions, o eventsCountOptions) error {
	f, err := o.filter(e.now())
	if err != nil {
		return err
	}
	t, err := newTarget(e, g)
	if err != nil {
		return err
	}
	defer t.close()
	events, err := t.events(ctx, nil)
	if err != nil {
		return err
	}
	n, err := events.Count(ctx, f)
	if err != nil {
		return err
	}
	if g.json {
		_, err = fmt.Fprintf(e.stdout, "{\"count\": %d}\n", n)
	} else {
		_, err = fmt.Fprintln(e.stdout, number(n))
	}
	return err
}
