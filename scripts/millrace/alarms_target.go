package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/metrics"
	"github.com/millrace-pipeline/millrace/shared/alarm"
	"github.com/millrace-pipeline/millrace/shared/embedded"
)

// alarmed is a target as the commands of the alarms see it: every kind is one.
type alarmed interface {
	// alarms are the alarms that the pipeline has, in the order of the table, and the last
	// changes of their states, at most history.
	alarms(ctx context.Context, history int) (alarmStates, error)
	// counts is where the SLOs are computed from. It is good until the target is closed.
	counts(ctx context.Context) (alarm.Source, error)
}

// alarmStates are the alarms of a pipeline.
type alarmStates struct {
	statuses []alarm.Status
	history  []alarm.Change
	remark   string // on what is to be known of them; "" for nothing
}

var (
	_ alarmed = (*embeddedTarget)(nil)
	_ alarmed = (*deployedTarget)(nil)
)

// newAlarmed is the target that the flags name. The caller closes it.
func newAlarmed(e env, g *globalOptions) (alarmed, func(), error) {
	t, err := newTarget(e, g)
	if err != nil {
		return nil, nil, err
	}
	a, ok := t.(alarmed)
	if !ok {
		return nil, nil, fmt.Errorf("a target of the kind %s has no alarms", g.target)
	}
	return a, t.close, nil
}

// recorded is what the pipeline has recorded of itself.
func (t *embeddedTarget) recorded(ctx context.Context) (*metrics.Reader, error) {
	if t.metrics != nil {
		return t.metrics, nil
	}
	r, err := embedded.OpenMetrics(ctx, t.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no pipeline has run in %s: start `millrace run`, or name its directory with --data", t.dir)
	}
	t.metrics = r
	return r, err
}

// alarms implements alarmed: the states that the running process saved last, judged once
// more.
func (t *embeddedTarget) alarms(ctx context.Context, history int) (s alarmStates, err error) {
	r, err := t.recorded(ctx)
	if err != nil {
		return s, err
	}
	o := embedded.AlarmOptions{Dir: t.dir, Mongo: t.mongo != ""}
	process, err := embedded.Find(t.dir)
	switch {
	case err == nil:
		o.Since = process.Started
	case errors.Is(err, embedded.ErrNotRunning):
		s.remark = fmt.Sprintf("nothing is running in %s: what is silent counts as such", t.dir)
	default:
		return s, err
	}
	e, err := embedded.OpenAlarms(r, o)
	if err != nil {
		return s, err
	}
	_, err = e.Evaluate(ctx, t.env.now())
	s.statuses, s.history = e.Statuses(), last(e.History(), history)
	return s, err
}

// counts implements alarmed.
func (t *embeddedTarget) counts(ctx context.Context) (alarm.Source, error) {
	r, err := t.recorded(ctx)
	if err != nil {
		return nil, err
	}
	return embedded.AlarmSource(r), nil
}

// last n of a list.
func last[T any](all []T, n int) []T { return all[max(len(all)-n, 0):] }

// sloTime is what the SLOs are as of: whole seconds, so that periods can be compared.
func sloTime(e env) time.Time { return e.now().UTC().Truncate(time.Second) }
