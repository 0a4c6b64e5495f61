package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

type eventsGetOptions struct {
	source string
}

func newEventsGet(e env, g *globalOptions) *cobra.Command {
	var o eventsGetOptions
	c := &cobra.Command{
		Use:   "get ID",
		Short: "Print one event",
		Long: "Print one stored event, whole and indented. --json prints it as it is stored, byte for byte.\n\n" +
			"Source and id together identify an event: where several sources have an event with this id, --source chooses.",
		Annotations: exits(exitNotFound),
		Example: "  millrace events get 2013-01-01/UA/1545/EWR/0515\n" +
			"  millrace events get 4711 --source /shop/orders --json | jq .data",
		Args: oneArg("the ID of an event"),
		RunE: func(c *cobra.Command, args []string) error { return runEventsGet(c.Context(), e, g, o, args[0]) },
	}
	c.Flags().StringVar(&o.source, "source", "", "the event's `source`")
	return c
}

func runEventsGet(ctx context.Context, e env, g *globalOptions, o eventsGetOptions, id string) error {
	t, err := newTarget(e, g)
	if err != nil {
		return err
	}
	defer t.close()
	events, err := t.events(ctx, nil)
	if err != nil {
		return err
	}
	r, err := events.Get(ctx, event.Key{Source: o.source, ID: id})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return &exitError{exitNotFound, fmt.Errorf("there is no event with the id %q%s: it may be on its way (`millrace status`) "+
			"or dead-lettered (`millrace dlq show %[1]q`)", id, ofSource(o.source))}
	case errors.Is(err, store.ErrAmbiguous):
		return usageError("several sources have an event with the id %q: name one with --source", id)
	case err != nil:
		return err
	}
	if g.json {
		_, err := e.stdout.Write(append(bytes.Clone(r.Event.JSON()), '\n'))
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, r.Event.JSON(), "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	if _, err := e.stdout.Write(b.Bytes()); err != nil {
		return err
	}
	if e.isTerminal(e.stdout) {
		fmt.Fprintln(e.stderr, recordLine(&r))
	}
	return nil
}

func ofSource(source string) string {
	if source == "" {
		return ""
	}
	return fmt.Sprintf(" of the source %q", source)
}

// recordLine is what the store knows besides the event.
func recordLine(r *store.Record) string {
	s := string(r.Status)
	if !r.Received.IsZero() {
		s += ", received " + timestamp(r.Received)
	}
	if !r.Stored.IsZero() {
		s += ", stored " + timestamp(r.Stored)
		if !r.Received.IsZero() {
			s += " (after " + latency(r.Stored.Sub(r.Received)) + ")"
		}
	}
	if l := r.Lease; l != nil && r.Status != store.Completed {
		s += fmt.Sprintf(", lease of %s until %s, attempt %d", cell(l.Owner), timestamp(l.Until), l.Attempt)
		if l.Error != "" {
			s += ": " + oneLine(l.Error)
		}
	}
	return s
}
