package oncall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Topics publishes pages.
type Topics interface {
	// Publish publishes to a topic of spec.PageTopics, with MessageStructure "json".
	Publish(ctx context.Context, topic, subject, body string) error
}

// Options of a Pager.
type Options struct {
	Place  Place
	Open   Object // the open pages
	Topics Topics
	Alarms Alarms
	Now    func() time.Time
	Log    *slog.Logger
}

// Pager is the function on-call.
type Pager struct {
	o Options
	w writer
}

// New makes a Pager.
func New(o Options) *Pager {
	return &Pager{o: o, w: writer{table: NewTable(o.Place.Env), place: o.Place}}
}

// Handle handles one invocation: an alarm's change of state, the schedule, or a request,
// which alone has an answer. After an error Lambda invokes it again with the same payload
// (AWS Lambda Developer Guide, "Asynchronous invocation"), and repeats at most what is not
// known to be done.
func (p *Pager) Handle(ctx context.Context, payload []byte) ([]byte, error) {
	in, err := Parse(payload)
	switch {
	case err != nil:
		return json.Marshal(Answer{Pages: []View{}, Refused: err.Error()})
	case in.Request != nil:
		return p.request(ctx, in.Request)
	case in.Tick:
		return nil, p.tick(ctx)
	}
	var errs []error
	for _, u := range in.Unread {
		errs = append(errs, p.unread(ctx, u))
	}
	for _, c := range in.Changes {
		errs = append(errs, p.change(ctx, c))
	}
	return nil, errors.Join(errs...)
}

// change pages, or resolves the page, of an alarm that changed its state.
func (p *Pager) change(ctx context.Context, c StateChange) error {
	p.o.Log.Info("alarm changed", "alarm", c.Alarm, "state", c.State, "at", c.At)
	behind := p.behind(ctx, c.Rule)
	severity, now := p.w.table.severity(c.Alarm), p.o.Now()
	var due []Due
	_, err := update(ctx, p.o.Open, func(s *State) error {
		s.Apply(c, severity, behind, now)
		due = s.Claim(now)
		return nil
	})
	if err != nil && c.State == InAlarm {
		return errors.Join(err, p.unkept(ctx, c, severity, behind, err))
	}
	if err != nil {
		return err
	}
	return p.publish(ctx, due)
}

// behind finds what is behind an alarm. That it cannot be found holds up no page.
func (p *Pager) behind(ctx context.Context, rule string) Behind {
	b, err := behind(ctx, p.o.Alarms, rule)
	if err != nil {
		p.o.Log.Error("the alarms behind the page are not known", "error", err)
	}
	return b
}

// unkept publishes a page that could not be written down.
func (p *Pager) unkept(ctx context.Context, c StateChange, severity string, behind Behind, cause error) error {
	now := p.o.Now()
	d := Due{
		Page: Page{
			ID: PageID(c.Alarm, c.At), Alarm: c.Alarm, Severity: severity, Opened: c.At, Paged: now, Faults: behind.or(c.Triggering), Message: c.Message,
		},
		Notice: Notice{Kind: Opened, Attempts: 1},
	}
	d.Page.Unkept = cause.Error()
	return p.send(ctx, p.w.message(d, now))
}

// unread publishes what on-call cannot read, so that whoever is on call can.
func (p *Pager) unread(ctx context.Context, u Unread) error {
	p.o.Log.Error("the input cannot be read and is passed on", "error", u.Why, "input", u.Text)
	return p.send(ctx, p.w.unread(u, p.o.Now()))
}

// publish publishes what is due, and strikes out what is published.
func (p *Pager) publish(ctx context.Context, due []Due) error {
	var done []Due
	var errs []error
	for _, d := range due {
		if err := p.send(ctx, p.w.message(d, p.o.Now())); err != nil {
			errs = append(errs, err)
			continue
		}
		p.o.Log.Info("paged", "page", d.Page.ID, "kind", d.Notice.Kind, "level", d.Notice.Level, "attempt", d.Notice.Attempts)
		done = append(done, d)
	}
	if len(done) > 0 {
		_, err := update(ctx, p.o.Open, func(s *State) error {
			s.Published(done, p.o.Now())
			return nil
		})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (p *Pager) send(ctx context.Context, m Message) error {
	if err := p.o.Topics.Publish(ctx, m.Topic, m.Subject, m.Body); err != nil {
		return fmt.Errorf("publish %q to %s: %w", m.Subject, m.Topic, err)
	}
	return nil
}
