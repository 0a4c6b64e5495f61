//go:build integration

package mongostore

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// TestIntegrationManyTypesOfOneMoment: more types than the server merges at once, and far
// more events of one millisecond than a page has.
func TestIntegrationManyTypesOfOneMoment(t *testing.T) {
	const n = 900
	s := newStore(t, Options{})
	var batch []event.Event
	for i := range n {
		batch = append(batch, parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/s%d","type":"kind.%d","tenantid":"t%d","time":"2026-03-01T12:00:00.%03dZ"}`,
			i*7919%n, i%7, i%(2*maxMerged+50), i%2, i/400)))
	}
	mustWrite(t, s, batch)
	for _, f := range []store.Filter{{}, {Type: "kind.*"}, {Type: "kind.1*"}, {Tenant: "t1"}, {Source: "/s3"}, {From: batch[400].Time(), To: batch[400].Time().Add(time.Millisecond)}} {
		var want []event.Key
		positions := positionsOf(batch, f)
		for _, p := range positions {
			want = append(want, p.Key)
		}
		for _, limit := range []int{7, 400, 1000} {
			if got := listAll(t, s, f, limit); !slices.Equal(got, want) {
				t.Errorf("%+v in pages of %d: %d events, want %d in another order or number", f, limit, len(got), len(want))
			}
		}
		if got, err := s.Count(t.Context(), f); err != nil || got != int64(len(want)) {
			t.Errorf("Count(%+v) = %d, %v, want %d", f, got, err, len(want))
		}
	}
}

func positionsOf(batch []event.Event, f store.Filter) []store.Position {
	var all []store.Position
	for i := range batch {
		e := &batch[i]
		prefix, isPrefix := f.TypePrefix()
		switch {
		case f.Tenant != "" && f.Tenant != e.Tenant(), f.Source != "" && f.Source != e.Source(),
			f.Type != "" && !isPrefix && f.Type != e.Type(), isPrefix && (len(e.Type()) < len(prefix) || e.Type()[:len(prefix)] != prefix),
			!f.From.IsZero() && (e.Time().Before(f.From) || !e.Time().Before(f.To)):
			continue
		}
		all = append(all, store.Position{Time: e.Time(), Key: e.Key()})
	}
	slices.SortFunc(all, store.Position.Compare)
	return all
}

func listAll(t *testing.T, s *Store, f store.Filter, limit int) (keys []event.Key) {
	t.Helper()
	for cursor := ""; ; {
		page, err := s.List(t.Context(), f, limit, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Records {
			keys = append(keys, page.Records[i].Event.Key())
		}
		if cursor = page.Next; cursor == "" {
			return keys
		}
	}
}

// TestIntegrationLeaseThatDoesNotKnow: a writer has ended before it could note in the lease
// that its event is stored. Nothing shows it.
func TestIntegrationLeaseThatDoesNotKnow(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := newStore(t, Options{Now: func() time.Time { return now }})
	events := numbered(t, "a", 30)
	for i := range events {
		if _, _, _, err := s.Acquire(t.Context(), store.LeaseRequest{Event: events[i], Owner: "o", Until: now.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	stored := events[5:25]
	mustWrite(t, s, stored)
	for i := range stored { // take the notes back
		forget := bson.D{{Key: "$set", Value: bson.D{{Key: "stored", Value: false}, {Key: "event", Value: string(stored[i].JSON())}}}}
		if _, err := s.collection(collLeases).UpdateByID(t.Context(), keyOf(stored[i].Key()), forget); err != nil {
			t.Fatal(err)
		}
	}
	for f, want := range map[store.Filter]int{
		{}: 30, {Status: store.Processing}: 10, {Status: store.Completed}: 20, {Status: store.Pending}: 0, {Type: "kind.*"}: 30,
	} {
		n, err := s.Count(t.Context(), f)
		if err != nil || n != int64(want) {
			t.Errorf("Count(%+v) = %d, %v, want %d", f, n, err, want)
		}
		for _, limit := range []int{3, 100} {
			if got := listAll(t, s, f, limit); len(got) != want {
				t.Errorf("%+v in pages of %d: %d events, want %d", f, limit, len(got), want)
			}
		}
	}
	rec, err := s.Get(t.Context(), event.Key{ID: stored[0].ID()})
	if err != nil || rec.Status != store.Completed || rec.Lease != nil {
		t.Errorf("a stored event: %+v, %v", rec, err)
	}
	keys, err := s.Reset(t.Context(), store.Filter{}, now.Add(time.Hour), 100)
	if err != nil || len(keys) != 10 {
		t.Errorf("Reset: %d keys, %v, want 10", len(keys), err)
	}
}
