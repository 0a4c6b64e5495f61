package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/store"
)

type eventsListOptions struct {
	filterOptions
	limit  int
	cursor string
	all    bool
}

func newEventsList(e env, g *globalOptions) *cobra.Command {
	var o eventsListOptions
	c := &cobra.Command{
		Use:   "list",
		Short: "List events, newest first",
		Long: "List the stored events that the flags select, newest first by the time they happened.\n\n" +
			"With --json: {\"events\": [{\"event\": …, \"status\": …, \"received\": …, \"stored\": …}, …], \"next\": \"…\"}, " +
			"each event on a line of its own and whole; next is the cursor of the next page, \"\" on the last.",
		Example: "  millrace events list --tenant ua --limit 5\n" +
			"  millrace events list --type 'com.github.*' --from 2h\n" +
			"  millrace events list --from 2013-01-01 --to 2013-01-02 --all --json",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.all && c.Flags().Changed("limit") {
				return usageError("--all and --limit contradict each other: give one of them")
			}
			return runEventsList(c.Context(), e, g, o)
		},
	}
	o.add(c)
	c.Flags().IntVar(&o.limit, "limit", 20, "list at most `N` events")
	c.Flags().StringVar(&o.cursor, "cursor", "", "go on where a listing with the same filter ended")
	c.Flags().BoolVar(&o.all, "all", false, "list all, however many there are")
	return c
}

func runEventsList(ctx context.Context, e env, g *globalOptions, o eventsListOptions) error {
	f, err := o.filter(e.now())
	if err != nil {
		return err
	}
	if o.limit < 1 {
		return usageError("--limit is %d: it must be at least 1", o.limit)
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
	out := newEventWriter(e, g)
	out.again = o.fixed(f)
	next := ""
	if o.all {
		for r, err := range ops.AllEvents(ctx, events, f, o.cursor) {
			if err != nil {
				return cursorError(err)
			}
			if err := out.add(&r); err != nil {
				return err
			}
		}
		return out.end(next)
	}
	page, err := events.List(ctx, f, o.limit, o.cursor)
	if err != nil {
		return cursorError(err)
	}
	for i := range page.Records {
		if err := out.add(&page.Records[i]); err != nil {
			return err
		}
	}
	return out.end(page.Next)
}

func cursorError(err error) error {
	if errors.Is(err, store.ErrBadCursor) {
		return usageError("--cursor does not belong to this listing: a cursor goes with the filter it was made for")
	}
	return err
}

// eventWriter writes a listing of any length without keeping it.
type eventWriter struct {
	env  env
	json bool
	n    int
	page *table // rows that are not written yet
	// again are flags that a next page needs instead of those given.
	again string
}

const openList = "{\"events\":[\n"

// tableRows are aligned together: a listing of any length must not wait for its end.
const tableRows = 500

func newEventWriter(e env, g *globalOptions) *eventWriter {
	return &eventWriter{env: e, json: g.json, page: eventTable()}
}

func eventTable() *table { return newTable("TIME", "TYPE", "TENANT", "SUBJECT", "STATUS", "ID") }

func (w *eventWriter) add(r *store.Record) error {
	w.n++
	if w.json {
		return w.addJSON(r)
	}
	when := r.Event.Time()
	if when.IsZero() {
		when = r.Received
	}
	w.page.add(timestamp(when), short(r.Event.Type(), 48), short(r.Event.Tenant(), 24),
		short(r.Event.Subject(), 40), string(r.Status), r.Event.ID())
	if len(w.page.rows) < tableRows {
		return nil
	}
	return w.flush()
}

func (w *eventWriter) addJSON(r *store.Record) error {
	b := bytes.NewBufferString(",\n")
	if w.n == 1 {
		b = bytes.NewBufferString(openList)
	}
	if err := writeJSON(b, newRecordJSON(r)); err != nil {
		return err
	}
	_, err := w.env.stdout.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return err
}

func (w *eventWriter) flush() error {
	err := w.page.write(w.env.stdout)
	w.page = eventTable()
	return err
}

// end writes what is left, and how to see more.
func (w *eventWriter) end(next string) error {
	if w.json {
		if w.n == 0 {
			_, err := fmt.Fprintln(w.env.stdout, `{"events":[],"next":""}`)
			return err
		}
		_, err := fmt.Fprintf(w.env.stdout, "\n],\"next\":%q}\n", next)
		return err
	}
	if w.n == 0 {
		fmt.Fprintln(w.env.stderr, "no such events")
		return nil
	}
	if len(w.page.rows) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if next != "" {
		fmt.Fprintf(w.env.stderr, "\nThere are more: add %s--cursor %s, or --all.\n", w.again, next)
	}
	return nil
}
