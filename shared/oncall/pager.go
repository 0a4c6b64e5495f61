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

// Answer to a request.
type Answer struct {
	Pages []View `json:"pages"` // the open ones, or the one that was acknowledged
	// Refused is why the request was not done. It is no error of the function, which would
	// be counted as one and page.
	Refused string `json:"refused,omitempty"`
	// NotFound: it was refused because no such page is open; Pages are those that are.
	NotFound bool `json:"not_found,omitempty"`
}

// View is a page as `millrace pages` shows it.
type View struct {
	Page
	Name string    `json:"name"`           // what `millrace ack` takes, as short as it goes
	Next *NextRole `json:"next,omitempty"` // nil: nobody
}

// NextRole is whom an unanswered page goes to, and when.
type NextRole struct {
	Role string    `json:"role"`
	At   time.Time `json:"at"`
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
	var behind []Fault
	if c.State == InAlarm {
		behind = p.faults(ctx, c.Rule, c.Triggering)
	}
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

// faults finds what is behind an alarm. That it cannot be found holds up no page.
func (p *Pager) faults(ctx context.Context, rule string, triggering []string) []Fault {
	found, err := faults(ctx, p.o.Alarms, rule, triggering)
	if err != nil {
		p.o.Log.Error("the alarms behind the page are not known", "error", err)
	}
	return found
}

// unkept publishes a page that could not be written down.
func (p *Pager) unkept(ctx context.Context, c StateChange, severity string, behind []Fault, cause error) error {
	now := p.o.Now()
	d := Due{
		Page: Page{
			ID: PageID(c.Alarm, c.At), Alarm: c.Alarm, Severity: severity, Opened: c.At, Paged: now, Faults: behind, Message: c.Message,
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

// tick looks after the open pages: what is not known to be published is published, what
// is OK by now is resolved, what nobody has acknowledged goes to the next.
func (p *Pager) tick(ctx context.Context) error {
	s, _, err := read(ctx, p.o.Open)
	if err != nil || len(s.Pages) == 0 {
		return err
	}
	now := p.o.Now()
	alarms, behind := p.look(ctx, s.Open(), now)
	var due []Due
	_, err = update(ctx, p.o.Open, func(s *State) error {
		if alarms != nil {
			s.Reconcile(alarms, now)
		}
		s.Refresh(behind)
		s.Escalate(now)
		due = s.Claim(now)
		return nil
	})
	if err != nil {
		return err
	}
	return p.publish(ctx, due)
}

// look asks for the alarms of the open pages, and for what is behind those that are about
// to escalate. alarms is nil when they cannot be asked: then nothing is known, which
// resolves nothing and holds up no escalation.
func (p *Pager) look(ctx context.Context, open []Page, now time.Time) (alarms map[string]Alarm, behind map[string][]Fault) {
	var names []string
	for i := range open {
		names = append(names, open[i].Alarm)
	}
	list, err := describe(ctx, p.o.Alarms, names)
	if err != nil {
		p.o.Log.Error("the alarms of the open pages cannot be asked", "error", err)
		return nil, nil
	}
	alarms, behind = make(map[string]Alarm), make(map[string][]Fault)
	for _, a := range list {
		alarms[a.Name] = a
	}
	for i := range open {
		if a := alarms[open[i].Alarm]; a.State == InAlarm && open[i].overdue(now) {
			behind[open[i].ID] = p.faults(ctx, a.Rule, nil)
		}
	}
	return alarms, behind
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

// request answers `millrace ack` and `millrace pages`.
func (p *Pager) request(ctx context.Context, r *Request) ([]byte, error) {
	var a Answer
	var err error
	if r.Ack != nil {
		a.Pages, err = p.acknowledge(ctx, *r.Ack)
	}
	if errors.Is(err, ErrNoPage) {
		a.Refused, a.NotFound, err = err.Error(), true, nil
	}
	if r.Pages || a.NotFound {
		a.Pages, err = p.pages(ctx)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(a)
}

// pages are the open ones.
func (p *Pager) pages(ctx context.Context) ([]View, error) {
	s, _, err := read(ctx, p.o.Open)
	views := []View{}
	for _, page := range s.Open() {
		views = append(views, p.view(page))
	}
	return views, err
}

func (p *Pager) acknowledge(ctx context.Context, r AckRequest) ([]View, error) {
	now := p.o.Now()
	var due []Due
	var page Page
	_, err := update(ctx, p.o.Open, func(s *State) (err error) {
		page, err = s.Acknowledge(r, p.o.Place.prefix(), now)
		due = s.Claim(now)
		return err
	})
	if err != nil {
		return nil, err
	}
	p.o.Log.Info("acknowledged", "page", page.ID, "by", page.Acked.By)
	if err := p.publish(ctx, due); err != nil {
		// It is acknowledged. The next tick tells the others.
		p.o.Log.Error("the acknowledgement is not published yet", "error", err)
	}
	return []View{p.view(page)}, nil
}

func (p *Pager) view(page Page) View {
	v := View{Page: page, Name: p.o.Place.name(page.Alarm)}
	v.Message, v.Notices = nil, nil
	if at, role, ok := page.Next(); ok {
		v.Next = &NextRole{role, at}
	}
	return v
}
