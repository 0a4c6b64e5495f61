package oncall

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Answer to a request.
type Answer struct {
	Pages []View `json:"pages"` // the open ones, or the one that was acknowledged
	// Refused is why the request was not done. It is no error of the function, which would
	// be counted as one and page.
	Refused string `json:"refused,omitempty"`
	// PagesFrom: the deployment has not been whole yet, and pages are held until then at the
	// latest. nil: they go out.
	PagesFrom *time.Time `json:"pages_from,omitempty"`
	// NotFound: it was refused because no such page is open; Pages are those that are.
	NotFound bool `json:"not_found,omitempty"`
}

// View is a page as `millrace pages` shows it.
type View struct {
	Page
	Name string    `json:"name"`           // what `millrace ack` takes, as short as it goes
	Next *NextRole `json:"next,omitempty"` // nil: nobody
	// Why nobody is told of it now; "" where people are.
	Why string `json:"why,omitempty"`
}

// NextRole is whom an unanswered page goes to, and when.
type NextRole struct {
	Role string    `json:"role"`
	At   time.Time `json:"at"`
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
		err = p.pages(ctx, &a)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(a)
}

// pages are the open ones, and from when on they go out.
func (p *Pager) pages(ctx context.Context, a *Answer) error {
	s, _, err := read(ctx, p.o.Open)
	if err != nil {
		return err
	}
	from := s.PagesFrom(p.o.Now())
	if !from.IsZero() {
		a.PagesFrom = &from
	}
	a.Pages = []View{}
	for _, page := range s.Open() {
		a.Pages = append(a.Pages, p.view(page, from))
	}
	return nil
}

func (p *Pager) acknowledge(ctx context.Context, r AckRequest) ([]View, error) {
	now := p.o.Now()
	var due []Due
	var page Page
	s, err := update(ctx, p.o.Open, func(s *State) (err error) {
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
	return []View{p.view(page, s.PagesFrom(now))}, nil
}

// view of a page. pagesFrom is until when held ones are.
func (p *Pager) view(page Page, pagesFrom time.Time) View {
	v := View{Page: page, Name: p.o.Place.name(page.Alarm)}
	v.Message, v.Notices = nil, nil
	if at, role, ok := page.Next(); ok {
		v.Next = &NextRole{role, at}
	}
	switch {
	case page.Held:
		v.Why = NotWhole(pagesFrom)
	case page.quiet():
		v.Why = whyMuted
	}
	return v
}
