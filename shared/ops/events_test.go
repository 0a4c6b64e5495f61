package ops

import (
	"fmt"
	"path/filepath"
	"testing"

	eventstore "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/store"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// All pages of a real store come, each event once, newest first; the caller may stop.
func TestAllEvents(t *testing.T) {
	s, err := eventstore.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"), eventstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const n = 2*pageSize + 7
	var batch []event.Event
	for i := range n {
		e, err := event.Parse(fmt.Appendf(nil, `{"specversion":"1.0","id":"%05d","source":"/s","type":"t","time":"2026-01-01T%02d:%02d:%02dZ"}`,
			i, i/3600, i/60%60, i%60))
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, e)
	}
	if _, err := s.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	next := n
	for r, err := range AllEvents(t.Context(), s, store.Filter{}, "") {
		if err != nil {
			t.Fatal(err)
		}
		next--
		if want := fmt.Sprintf("%05d", next); r.Event.ID() != want {
			t.Fatalf("event %s, want %s", r.Event.ID(), want)
		}
	}
	if next != 0 {
		t.Errorf("%d events did not come", next)
	}
	for range AllEvents(t.Context(), s, store.Filter{}, "") {
		next++
		break
	}
	if next != 1 {
		t.Error("it went on after the caller stopped")
	}
	for _, err := range AllEvents(t.Context(), s, store.Filter{}, "no cursor") {
		if err == nil {
			t.Error("a bad cursor lists events")
		}
	}
}
