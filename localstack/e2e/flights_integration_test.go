//go:build integration

package e2e

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// flights: real events through the real Kafka into the real MongoDB, sent by the command
// line: each is stored once. The same again changes nothing.
func (d *deployment) flights(t *testing.T) {
	file, distinct := input(t)
	begun := time.Now()
	d.send(t, file)
	d.awaitStored(t, "", distinct, 3*time.Minute)
	took := time.Since(begun)
	d.awaitIdle(t, time.Minute)
	first := d.events(t, store.Filter{})
	if int64(len(first)) != distinct {
		t.Fatalf("%d events are stored, want %d", len(first), distinct)
	}
	p50, p99 := latency(first)
	t.Logf("%d events in %.1f s: %.0f events/s, from received to stored p50 %s, p99 %s",
		distinct, took.Seconds(), float64(distinct)/took.Seconds(), p50, p99)

	d.send(t, file)
	d.awaitIdle(t, 3*time.Minute)
	second := d.events(t, store.Filter{})
	if !maps.EqualFunc(first, second, func(a, b store.Record) bool {
		return a.Stored.Equal(b.Stored) && bytes.Equal(a.Event.JSON(), b.Event.JSON())
	}) {
		t.Errorf("sent again, and the store has changed: %d events, %d before", len(second), len(first))
	}
	d.checkDerived(t)
	d.wantDead(t, 0)
}

func (d *deployment) send(t *testing.T, file string) {
	t.Helper()
	d.millrace.Run(t, "send", "--kafka", d.Kafka.Addr, "--topic", d.Topic, file)
}

// events of the store, by key. One that is there twice fails the test.
func (d *deployment) events(t *testing.T, f store.Filter) map[event.Key]store.Record {
	t.Helper()
	all := make(map[event.Key]store.Record)
	cursor := ""
	for {
		page, err := d.store.List(t.Context(), f, 1000, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			if _, twice := all[r.Event.Key()]; twice {
				t.Errorf("%v is stored twice", r.Event.Key())
			}
			all[r.Event.Key()] = r
		}
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

// latency from received to stored. What waited in Kafka for its turn is part of it.
func latency(records map[event.Key]store.Record) (p50, p99 time.Duration) {
	var all []time.Duration
	for _, r := range records {
		all = append(all, r.Stored.Sub(r.Received))
	}
	slices.Sort(all)
	at := func(q float64) time.Duration {
		return all[int(q*float64(len(all)-1))].Round(time.Millisecond)
	}
	return at(0.5), at(0.99)
}
