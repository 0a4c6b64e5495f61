package handlers

import (
	"context"
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// The handlers on the sample events, one after the other: what the process stage pays
// per event for them.
func BenchmarkHandlers(b *testing.B) {
	for _, c := range []struct {
		name, sample string
		f            Func
	}{
		{"flights", "flights/2013-01-01.ndjson.gz", flightRecorded},
		{"github", "github/webhooks.ndjson", githubWebhook},
		{"patients", "patients/2026-01-05.ndjson", keyed.handle},
	} {
		b.Run(c.name, func(b *testing.B) {
			events := readSample(b, c.sample)
			bytes := 0
			for i := range events {
				bytes += len(events[i].JSON())
			}
			b.SetBytes(int64(bytes / len(events)))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e := &events[i%len(events)]
				r, err := c.f(context.Background(), *e)
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := r.Output(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A type of 8,192 dots, which the door lets in, must not cost as many look-ups.
func BenchmarkFind(b *testing.B) {
	r, err := New(Settings{})
	if err != nil {
		b.Fatal(err)
	}
	for name, eventType := range map[string]string{
		"exact": "gov.bts.flight.recorded", "prefix": "com.github.issues.opened", "none": "com.example.order.placed",
		"dots": strings.Repeat(".", event.MaxAttributeBytes),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r.Find(eventType)
			}
		})
	}
}
