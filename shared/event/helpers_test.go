package event_test

import (
	"bytes"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func mustParse(t fataler, s string) event.Event {
	t.Helper()
	e, err := event.Parse([]byte(s))
	if err != nil {
		t.Fatalf("Parse(%.300s): %v", s, err)
	}
	return e
}

func mustBuild(t fataler, b *event.Builder) event.Event {
	t.Helper()
	e, err := b.Build()
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return e
}

func attributes(e *event.Event) map[string]string { return maps.Collect(e.Attrs()) }

// view is all that an event's accessors say.
type view struct {
	Key                                               event.Key
	ID, Source, Type, Subject, ContentType, Schema    string
	Tenant, PartitionKey, TraceParent, User, Priority string
	Time, Received                                    time.Time
	Data, Bytes                                       string
	HasData, HasBytes                                 bool
	Attributes                                        map[string]string
}

func viewOf(e *event.Event) view {
	return view{
		e.Key(), e.ID(), e.Source(), e.Type(), e.Subject(), e.ContentType(), e.Schema(),
		e.Tenant(), e.PartitionKey(), e.TraceParent(), e.User(), e.Priority(),
		e.Time(), e.Received(), string(e.Data()), string(e.Bytes()), e.Data() != nil, e.Bytes() != nil, attributes(e),
	}
}

// assertSame checks that got says what want says, in the same JSON.
func assertSame(t fataler, got, want event.Event) {
	t.Helper()
	if !bytes.Equal(got.JSON(), want.JSON()) {
		t.Fatalf("got  %s\nwant %s", got.JSON(), want.JSON())
	}
	if d := cmp.Diff(viewOf(&want), viewOf(&got)); d != "" {
		t.Fatalf("the same JSON, but (-want +got):\n%s", d)
	}
}

// assertReason checks that err is classified as the reason says.
func assertReason(t fataler, err error, want fault.Reason) {
	t.Helper()
	if got := fault.ReasonOf(err); err == nil || got != want {
		t.Fatalf("got %v, want a failure of reason %s", err, want)
	}
	if k := fault.KindOf(err); k != fault.Permanent {
		t.Fatalf("%v is %s: bad input does not get better", err, k)
	}
	if n := len(err.Error()); n > 300 {
		t.Fatalf("an error text of %d bytes carries a payload: %.400s", n, err)
	}
}

// each runs f for every case as a subtest.
func each[C any](t *testing.T, cases map[string]C, f func(*testing.T, C)) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { f(t, c) })
	}
}
