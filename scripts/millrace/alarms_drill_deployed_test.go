package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/oncall"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// answering is an on-call that gives one answer.
type answering struct {
	answer oncall.Answer
	err    error
}

func (a answering) askOnCall(context.Context, oncall.Request) (oncall.Answer, error) {
	return a.answer, a.err
}

// A drill whose page would not go out is refused before it does anything, with the reason.
func TestDrillWithoutAPage(t *testing.T) {
	from := time.Date(2026, 11, 24, 3, 45, 0, 0, time.UTC)
	persistP2 := spec.PagerName("prod", spec.Persist, spec.P2)
	open := func(alarm string) oncall.Answer {
		return oncall.Answer{Pages: []oncall.View{{Page: oncall.Page{Alarm: alarm}, Name: "a page"}}}
	}
	for name, c := range map[string]struct {
		stage string
		on    answering
		want  string
	}{
		"armed":             {spec.Persist, answering{}, ""},
		"another is open":   {spec.Persist, answering{answer: open(spec.PagerName("prod", spec.Ingest, spec.P2))}, ""},
		"it is open":        {spec.Persist, answering{answer: open(persistP2)}, "the page a page is open already"},
		"not whole":         {spec.Persist, answering{answer: oncall.Answer{PagesFrom: &from}}, "nobody would be paged, and nothing was done: this deployment has not been whole yet; it pages from 03:45 UTC on"},
		"on-call fails":     {spec.Persist, answering{err: errors.New("boom")}, "on-call does not say whether it lets pages out: boom"},
		"on-call refuses":   {spec.Persist, answering{answer: oncall.Answer{Refused: "no"}}, "on-call does not say whether it lets pages out: no"},
		"past on-call":      {spec.OnCall, answering{answer: oncall.Answer{PagesFrom: &from}}, ""},
		"past a broken one": {spec.OnCall, answering{err: errors.New("boom")}, ""},
	} {
		d := &drill{stage: c.stage, alarm: spec.Alarm{Severity: spec.P2}, pager: persistP2}
		err := d.pages(t.Context(), c.on)
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
