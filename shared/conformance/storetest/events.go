package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// tb is what a helper needs of *testing.T and of *rapid.T.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// spec is an event in short: absent attributes are empty; Source and Type have defaults.
type spec struct {
	ID, Source, Type, Subject, Tenant, User string
	Time, Received                          time.Time
	Data                                    string // JSON, "" for none
}

const (
	defaultSource = "/test"
	defaultType   = "test.happened"
)

func (s spec) json() []byte {
	var b strings.Builder
	b.WriteString(`{"specversion":"1.0"`)
	attr := func(name, value string) {
		if value == "" {
			return
		}
		v, err := json.Marshal(value)
		if err != nil {
			panic(err) // a string always marshals
		}
		fmt.Fprintf(&b, `,"%s":%s`, name, v)
	}
	attr("id", s.ID)
	attr("source", or(s.Source, defaultSource))
	attr("type", or(s.Type, defaultType))
	attr("subject", s.Subject)
	attr("tenantid", s.Tenant)
	attr("userid", s.User)
	if !s.Time.IsZero() {
		attr("time", s.Time.Format(time.RFC3339Nano))
	}
	if !s.Received.IsZero() {
		attr(event.ReceivedName, s.Received.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if s.Data != "" {
		fmt.Fprintf(&b, `,"data":%s`, s.Data)
	}
	b.WriteString("}")
	return []byte(b.String())
}

func (s spec) event(t tb) event.Event {
	t.Helper()
	return parse(t, s.json())
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func parse(t tb, b []byte) event.Event {
	t.Helper()
	e, err := event.Parse(b)
	if err != nil {
		t.Fatalf("a test event does not parse: %v\n%.200s", err, b)
	}
	return e
}

func batchOf(t tb, specs ...spec) []event.Event {
	t.Helper()
	batch := make([]event.Event, len(specs))
	for i, s := range specs {
		batch[i] = s.event(t)
	}
	return batch
}

// write writes and fails the test unless every event is stored. It returns how many
// were new.
func write(ctx context.Context, t tb, w store.Writer, batch []event.Event) (fresh int) {
	t.Helper()
	results, err := w.Write(ctx, batch)
	if err != nil {
		t.Fatalf("Write of %d events: %v", len(batch), err)
	}
	if len(results) != len(batch) {
		t.Fatalf("Write of %d events: %d results", len(batch), len(results))
	}
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("Write: event %d (%v): %v", i, batch[i].Key(), r.Err)
		}
		if !r.Duplicate {
			fresh++
		}
	}
	return fresh
}

func get(ctx context.Context, t tb, r store.Reader, k event.Key) store.Record {
	t.Helper()
	rec, err := r.Get(ctx, k)
	if err != nil {
		t.Fatalf("Get(%.80q): %v", k, err)
	}
	return rec
}

func count(ctx context.Context, t tb, r store.Reader, f store.Filter) int64 {
	t.Helper()
	n, err := r.Count(ctx, f)
	if err != nil {
		t.Fatalf("Count(%+v): %v", f, err)
	}
	return n
}

// listAll pages through a listing and returns all of it.
func listAll(ctx context.Context, t tb, r store.Reader, f store.Filter, limit int) []store.Record {
	t.Helper()
	var all []store.Record
	for cursor := ""; ; {
		page, err := r.List(ctx, f, limit, cursor)
		if err != nil {
			t.Fatalf("List(%+v, %d, %q): %v", f, limit, cursor, err)
		}
		if len(page.Records) > limit {
			t.Fatalf("List(%+v, %d): %d records", f, limit, len(page.Records))
		}
		if len(page.Records) == 0 && page.Next != "" {
			t.Fatalf("List(%+v, %d): an empty page that is not the last", f, limit)
		}
		all = append(all, page.Records...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

func ids(records []store.Record) []string {
	out := make([]string, len(records))
	for i := range records {
		out[i] = records[i].Event.ID()
	}
	return out
}
