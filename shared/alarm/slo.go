package alarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// SLOStatus is how one SLO stands.
type SLOStatus struct {
	Name   string  `json:"name"`
	Target float64 `json:"target"` // percent; events a second for throughput
	Total  float64 `json:"total"`  // events or attempts over the window
	Bad    float64 `json:"bad"`
	// Achieved in percent, or events a second; nil without events.
	Achieved *float64 `json:"achieved"`
	// BudgetLeft in percent of the error budget: 100 when nothing was spent, below 0 when
	// the SLO is missed; nil for a rate.
	BudgetLeft *float64 `json:"budget_left"`
	Burning    []Burn   `json:"burning,omitempty"`
}

// Burn is how fast the budget is being spent over one window: 1 spends exactly all of it
// in spec.SLOWindow. Nil without events.
type Burn struct {
	Window time.Duration `json:"-"`
	Length float64       `json:"window_seconds"` // of Window
	Rate   *float64      `json:"rate"`
}

// burnWindows are the windows of spec.BurnRates, the shortest first.
func burnWindows() []time.Duration {
	var windows []time.Duration
	for _, b := range spec.BurnRates {
		windows = append(windows, b.Short, b.Long)
	}
	slices.Sort(windows)
	windows = slices.Compact(windows)
	return windows
}

// SLOs says how every SLO stands at a time, over spec.SLOWindow or as much of it as the
// source has data of.
func SLOs(ctx context.Context, src Source, now time.Time) ([]SLOStatus, error) {
	all := make([]SLOStatus, len(spec.SLOs))
	for i, slo := range spec.SLOs {
		q := sloQuery{src, slo, now}
		var err error
		if slo.Rate > 0 {
			all[i], err = q.rate(ctx)
		} else {
			all[i], err = q.budget(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("SLO %s: %w", slo.Name, err)
		}
	}
	return all, nil
}

type sloQuery struct {
	src Source
	slo spec.SLO
	now time.Time
}

// sum of a series over a window, all stages of the SLO together.
func (q sloQuery) sum(ctx context.Context, s spec.Series, window time.Duration) (float64, error) {
	sum := 0.0
	for _, stage := range q.slo.Stages {
		v, err := q.src.Query(ctx, s.In(stage), q.now, window, 1)
		if err != nil {
			return 0, err
		}
		sum += v[0].V // 0 without data
	}
	return sum, nil
}

// spent are the bad ones of a window, and all of it.
func (q sloQuery) spent(ctx context.Context, window time.Duration) (bad, total float64, err error) {
	total, err = q.sum(ctx, q.slo.Total, window)
	if err != nil {
		return 0, 0, err
	}
	bad, err = q.sum(ctx, q.slo.Bad, window)
	return bad, total, err
}

func (q sloQuery) budget(ctx context.Context) (SLOStatus, error) {
	s := SLOStatus{Name: q.slo.Name, Target: q.slo.Target}
	var err error
	if s.Bad, s.Total, err = q.spent(ctx, spec.SLOWindow); err != nil {
		return s, err
	}
	if s.Total > 0 {
		share := s.Bad / s.Total
		s.Achieved = ptr(100 - 100*share)
		s.BudgetLeft = ptr(100 - 100*share/q.slo.Budget())
	}
	for _, w := range burnWindows() {
		bad, total, err := q.spent(ctx, w)
		if err != nil {
			return s, err
		}
		b := Burn{Window: w, Length: w.Seconds()}
		if total > 0 {
			b.Rate = ptr(bad / total / q.slo.Budget())
		}
		s.Burning = append(s.Burning, b)
	}
	return s, nil
}

// rateWindow is what the throughput is the best minute of: a rate is promised for while
// there is work, and an average over idle days says nothing.
const rateWindow = time.Minute

// rate is the best minute of the last day.
func (q sloQuery) rate(ctx context.Context) (SLOStatus, error) {
	s := SLOStatus{Name: q.slo.Name, Target: q.slo.Rate}
	total, err := q.sum(ctx, q.slo.Total, spec.SLOWindow)
	if err != nil {
		return s, err
	}
	s.Total = total
	const minutes = 24 * 60
	best := make([]float64, minutes)
	for _, stage := range q.slo.Stages {
		v, err := q.src.Query(ctx, q.slo.Total.In(stage), q.now.Truncate(rateWindow), rateWindow, minutes)
		if err != nil {
			return s, err
		}
		if len(v) != minutes {
			return s, errors.New("the source has not as many values as asked for")
		}
		for i := range v {
			best[i] += v[i].V / rateWindow.Seconds()
		}
	}
	most := 0.0
	for _, b := range best {
		most = max(most, b)
	}
	if most > 0 {
		s.Achieved = &most
	}
	return s, nil
}

func ptr(v float64) *float64 { return &v }
