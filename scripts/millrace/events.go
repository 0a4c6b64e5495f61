package main

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/store"
)

func newEvents(e env, g *globalOptions) *cobra.Command {
	return group(&cobra.Command{
		Use:   "events",
		Short: "Look at the stored events",
		Long:  "Look at the events in the event store.",
	}, newEventsList(e, g), newEventsGet(e, g), newEventsCount(e, g))
}

// filterOptions are the flags that select events.
type filterOptions struct {
	f        store.Filter
	status   string
	from, to string
}

func (o *filterOptions) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&o.f.Tenant, "tenant", "", "events of this tenant (extension `tenantid`)")
	flags.StringVar(&o.f.Type, "type", "", "events of this `type`, or of every type that begins so: com.github.*")
	flags.StringVar(&o.f.Subject, "subject", "", "events about this `subject`")
	flags.StringVar(&o.status, "status", "", "events in this `state`: PENDING, PROCESSING, COMPLETED or FAILED")
	flags.StringVar(&o.f.User, "user", "", "events caused by this user (extension `userid`)")
	flags.StringVar(&o.f.Source, "source", "", "events of this `source`")
	flags.StringVar(&o.from, "from", "", "events at or after this `time`: "+momentHelp)
	flags.StringVar(&o.to, "to", "", "events before this `time`")
	complete(c, "status", statuses)
}

var statuses = []string{string(store.Pending), string(store.Processing), string(store.Completed), string(store.Failed)}

func (o *filterOptions) filter(now time.Time) (store.Filter, error) {
	f := o.f
	if o.status != "" {
		if err := oneOf("--status", o.status, statuses); err != nil {
			return f, err
		}
		f.Status = store.Status(o.status)
	}
	var err error
	if o.from != "" {
		if f.From, err = parseMoment("--from", o.from, now); err != nil {
			return f, err
		}
	}
	if o.to != "" {
		if f.To, err = parseMoment("--to", o.to, now); err != nil {
			return f, err
		}
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return f, usageError("--from %s is not before --to %s: there can be no events", timestamp(f.From), timestamp(f.To))
	}
	return f, nil
}

// fixed are flags that say in full what was given as how long ago, so that the next
// page is of the same times.
func (o *filterOptions) fixed(f store.Filter) string {
	s := ""
	if _, ok := parseAbsolute(o.from); o.from != "" && !ok {
		s += "--from " + timestamp(f.From) + " "
	}
	if _, ok := parseAbsolute(o.to); o.to != "" && !ok {
		s += "--to " + timestamp(f.To) + " "
	}
	return s
}

// recordJSON is a stored event as --json writes it.
type recordJSON struct {
	Event    json.RawMessage `json:"event"`
	Status   store.Status    `json:"status"`
	Received time.Time       `json:"received,omitzero"`
	Stored   time.Time       `json:"stored,omitzero"`
	Lease    *leaseJSON      `json:"lease,omitempty"`
}

type leaseJSON struct {
	Owner   string    `json:"owner"`
	Until   time.Time `json:"until"`
	Token   int64     `json:"token"`
	Attempt int       `json:"attempt"`
	Error   string    `json:"error,omitempty"`
}

func newRecordJSON(r *store.Record) recordJSON {
	j := recordJSON{Event: r.Event.JSON(), Status: r.Status, Received: r.Received, Stored: r.Stored}
	if l := r.Lease; l != nil {
		j.Lease = &leaseJSON{Owner: l.Owner, Until: l.Until, Token: l.Token, Attempt: l.Attempt, Error: l.Error}
	}
	return j
}
