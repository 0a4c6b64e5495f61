package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/oncall"
)

// onCall runs a command of on-call by itself, with the flags that every command has.
func onCall(t *testing.T, newCommand func(env, *globalOptions) *cobra.Command, g globalOptions, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	e := env{stdout: &out, stderr: &errs, environ: []string{"USER=ada"}, now: time.Now}
	c := newCommand(e, &g)
	c.SetArgs(args)
	c.SilenceErrors, c.SilenceUsage = true, true
	code = finish(e, c.ExecuteContext(context.Background()))
	return code, out.String(), errs.String()
}

// The pipeline on this machine says that it pages nobody, and what there is instead.
func TestNobodyToPage(t *testing.T) {
	for name, f := range map[string]func() (int, string, string){
		"ack": func() (int, string, string) {
			return onCall(t, newAck, globalOptions{target: targetEmbedded}, "persist-p1")
		},
		"pages": func() (int, string, string) { return onCall(t, newPages, globalOptions{target: targetEmbedded}) },
	} {
		code, stdout, stderr := f()
		if code != exitFailure || stdout != "" || !strings.HasPrefix(stderr, "millrace: the pipeline on this machine pages nobody") || !strings.Contains(stderr, "--target aws") {
			t.Errorf("%s: %d %q %q", name, code, stdout, stderr)
		}
	}
}

func TestAckUsage(t *testing.T) {
	if code, _, stderr := onCall(t, newAck, globalOptions{target: targetAWS}); code != exitUsage || !strings.Contains(stderr, "needs the name of a page") {
		t.Errorf("%d %q", code, stderr)
	}
	e := env{stdout: new(bytes.Buffer), now: time.Now}
	var coded *exitError
	if err := runAck(t.Context(), e, &globalOptions{target: targetAWS}, ackOptions{page: "p"}); !errors.As(err, &coded) || coded.code != exitUsage || !strings.Contains(err.Error(), "--by") {
		t.Errorf("%v: it does not know who asks", err)
	}
}

func TestWhoHas(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 20, 0, 0, time.UTC)
	acked := func(note string) oncall.View {
		return oncall.View{Page: oncall.Page{Acked: &oncall.Ack{By: "ada", Note: note}}}
	}
	next := func(at time.Time) oncall.View {
		return oncall.View{Next: &oncall.NextRole{Role: "secondary on-call", At: at}}
	}
	for _, c := range []struct {
		view oncall.View
		want string
	}{
		{acked(""), "ada"},
		{acked("on it"), "ada: on it"},
		{next(now.Add(10 * time.Minute)), "nobody; secondary on-call in 10m0s"},
		{next(now.Add(-time.Second)), "nobody; secondary on-call now"},
		{oncall.View{}, "nobody"},
		{oncall.View{Page: oncall.Page{Held: true}}, "nobody: held"},
		{oncall.View{Page: oncall.Page{Muted: now}}, "nobody: muted"},
		{oncall.View{Page: oncall.Page{Muted: now, Acked: &oncall.Ack{By: "ada", Note: "on it"}}}, "ada (muted)"},
	} {
		if got := whoHas(c.view, now); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// Whoever lists the pages reads why nobody is told of some, once for each reason.
func TestShowPages(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 20, 0, 0, time.UTC)
	from := now.Add(25 * time.Minute)
	page := func(name string, p oncall.Page, why string) oncall.View {
		p.Alarm, p.Severity, p.Opened = "millrace-prod-"+name, "P1", now.Add(-5*time.Minute)
		return oncall.View{Page: p, Name: name, Why: why}
	}
	for _, c := range []struct {
		answer oncall.Answer
		want   string
	}{
		{oncall.Answer{}, "no page is open\n"},
		{oncall.Answer{PagesFrom: &from}, "no page is open\nthis deployment has not been whole yet; it pages from 03:45 UTC on, or as soon as all alarms were OK once\n"},
		{oncall.Answer{Pages: []oncall.View{
			page("ingest-p1", oncall.Page{Held: true}, "because"), page("persist-p1", oncall.Page{Held: true}, "because"),
			page("process-p1", oncall.Page{Muted: now}, "of a deployment"), page("persist-p2", oncall.Page{}, ""),
		}}, "PAGE        SEVERITY  OPEN FOR  WHO            ALARMS\n" +
			"ingest-p1   P1            5m0s  nobody: held   -\n" +
			"persist-p1  P1            5m0s  nobody: held   -\n" +
			"process-p1  P1            5m0s  nobody: muted  -\n" +
			"persist-p2  P1            5m0s  nobody         -\n" +
			"held: because\nmuted: of a deployment\n"},
	} {
		var out bytes.Buffer
		if err := showPages(&out, c.answer, now); err != nil || out.String() != c.want {
			t.Errorf("%v\n%swant\n%s", err, out.String(), c.want)
		}
	}
}
