package oncall

import (
	"context"
	"slices"
	"time"
)

// tick looks after the pages: what CloudWatch's messages did not tell is made up for, what
// is not known to be published is published, and what nobody has acknowledged goes to the
// next.
func (p *Pager) tick(ctx context.Context) error {
	s, _, err := read(ctx, p.o.Open)
	if err != nil {
		return err
	}
	now := p.o.Now()
	seen, whole := p.look(ctx, &s, now)
	var due []Due
	_, err = update(ctx, p.o.Open, func(s *State) error {
		s.Reconcile(seen, now)
		s.Find(seen, now)
		s.Arm(whole, now)
		s.Escalate(now)
		due = s.Claim(now)
		s.tidy(now)
		return nil
	})
	if err != nil {
		return err
	}
	return p.publish(ctx, due)
}

// look asks CloudWatch for the pagers and the alarms of the open pages, and for what is
// behind those where it matters; whole says whether the deployment is, where that matters
// still. When CloudWatch cannot be asked nothing is seen: that resolves nothing and holds up
// no escalation.
func (p *Pager) look(ctx context.Context, s *State, now time.Time) (seen []Sight, whole bool) {
	names := slices.Clone(p.w.table.names)
	for _, page := range s.Open() {
		if !slices.Contains(names, page.Alarm) {
			names = append(names, page.Alarm)
		}
	}
	list, err := describe(ctx, p.o.Alarms, names)
	if err != nil {
		p.o.Log.Error("the alarms that page cannot be asked", "error", err)
		return nil, false
	}
	alarms := make(map[string]Alarm, len(list))
	for _, a := range list {
		alarms[a.Name] = a
	}
	for _, name := range names {
		a, ok := alarms[name]
		a.Name = name
		x := Sight{Alarm: a, Gone: !ok, Severity: p.w.table.severity(name), Direct: p.w.table.direct(name)}
		if s.Asks(&x, now) {
			b := p.behind(ctx, a.Rule)
			x.Behind = &b
		}
		seen = append(seen, x)
	}
	return seen, s.Armed.IsZero() && p.whole(ctx, seen[:len(p.w.table.names)])
}

// whole says whether the deployment is there and nothing of it fails: all its pagers are
// made, of which on-call's own are the last, and OK, and no alarm for which silence is the
// failure is still to be judged for the first time. Until then its pager is OK too.
func (p *Pager) whole(ctx context.Context, pagers []Sight) bool {
	made := false
	for i := range pagers {
		if !pagers[i].Gone && pagers[i].State != OK {
			return false
		}
		made = made || pagers[i].Direct && !pagers[i].Gone
	}
	if !made {
		return false
	}
	list, err := describe(ctx, p.o.Alarms, p.w.table.silent)
	if err != nil {
		p.o.Log.Error("whether the deployment is whole cannot be asked", "error", err)
		return false
	}
	return !slices.ContainsFunc(list, func(a Alarm) bool { return a.State == insufficientData })
}
