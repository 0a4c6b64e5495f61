package handlers

import (
	"context"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
)

func pass(_ context.Context, e event.Event) (Result, error) { return Forward(e), nil }

func passEffect(_ context.Context, e event.Event, _ int64) (Result, error) { return Forward(e), nil }

func TestNewRegistryRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		rows []Handler
		want string
	}{
		{"no type", []Handler{{Handle: pass}}, "want an event type"},
		{"everything", []Handler{{Type: ".*", Handle: pass}}, "want an event type"},
		{"star alone", []Handler{{Type: "*", Handle: pass}}, "only at the end"},
		{"star without dot", []Handler{{Type: "com.github*", Handle: pass}}, "only at the end"},
		{"star inside", []Handler{{Type: "com.*.push", Handle: pass}}, "only at the end"},
		{"equal types", []Handler{{Type: "a.b", Handle: pass}, {Type: "a.b", Aggregate: true}}, "two rows"},
		{"equal prefixes", []Handler{{Type: "a.*", Handle: pass}, {Type: "a.*", Handle: pass}}, "two rows"},
		{"two functions", []Handler{{Type: "a", Handle: pass, Effect: passEffect}}, "both"},
		{"nothing to do", []Handler{{Type: "a"}}, "nothing to do"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := NewRegistry(c.rows); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	r, err := New(Settings{})
	if err != nil {
		t.Fatal(err)
	}
	for eventType, want := range map[string]string{
		"gov.bts.flight.recorded":      "gov.bts.flight.recorded",
		"gov.bts.flight.departed":      "",
		"com.github.push":              "com.github.*",
		"com.github.issues.opened":     "com.github.*",
		"org.hl7.patient.admitted":     "org.hl7.patient.*",
		"org.hl7.appointment.booked":   "org.hl7.appointment.*",
		"com.github":                   "",
		"com.githubber.push":           "",
		"gov.bts.flight.recorded.more": "",
		"com.example.order.placed":     "",
	} {
		got := ""
		if h := r.Find(eventType); h != nil {
			got = h.Type
		}
		if got != want {
			t.Errorf("%s: row %q, want %q", eventType, got, want)
		}
	}
	for eventType, want := range map[string]bool{
		"org.hl7.patient.admitted": true, "gov.bts.flight.departed": false, "com.github.push": false, "x": false,
	} {
		if got := r.Aggregates(eventType); got != want {
			t.Errorf("%s: aggregates %v, want %v", eventType, got, want)
		}
	}
	if r.HasEffects() {
		t.Error("no sample has effects")
	}
}

func TestSettingsRefuseShortKey(t *testing.T) {
	if _, err := New(Settings{PseudonymKey: []byte("secret")}); err == nil {
		t.Error("a key of 6 bytes was accepted")
	}
}

// The most specific row wins, whatever the rows: compared with trying each of them.
func TestFindMostSpecific(t *testing.T) {
	name := rapid.StringMatching(`[ab](\.[ab]){0,3}`)
	rapid.Check(t, func(t *rapid.T) {
		types := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string {
			return name.Draw(t, "name") + rapid.SampledFrom([]string{"", ".*"}).Draw(t, "star")
		}), 0, 8, rapid.ID).Draw(t, "types")
		var rows []Handler
		for _, p := range types {
			rows = append(rows, Handler{Type: p, Handle: pass})
		}
		r, err := NewRegistry(rows)
		if err != nil {
			t.Fatal(err)
		}
		eventType := name.Draw(t, "event type")
		want := ""
		for _, p := range types {
			prefix, star := strings.CutSuffix(p, "*")
			fits := p == eventType || star && strings.HasPrefix(eventType, prefix)
			if fits && want != eventType && (p == eventType || len(p) > len(want)) {
				want = p
			}
		}
		got := ""
		if h := r.Find(eventType); h != nil {
			got = h.Type
		}
		if got != want {
			t.Fatalf("%s among %q: row %q, want %q", eventType, types, got, want)
		}
	})
}
