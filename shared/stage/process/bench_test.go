package process

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"os"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/handlers"
)

// BenchmarkDo is the stage on the sample flights, as they come stamped from ingest, 500
// a batch; ns/event is the figure to read. "other" is the same events under a type
// without a handler: what the stage itself costs.
func BenchmarkDo(b *testing.B) {
	registry, err := handlers.New(handlers.Settings{})
	if err != nil {
		b.Fatal(err)
	}
	s, err := New(Options{Handlers: registry, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	for name, eventType := range map[string]string{"flights": "gov.bts.flight.recorded", "other": "com.example.flight"} {
		b.Run(name, func(b *testing.B) {
			batch := flightBatch(b, eventType)
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				for _, o := range s.Do(ctx, batch) {
					if o.Err != nil {
						b.Fatal(o.Err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/event")
		})
	}
}

func flightBatch(b *testing.B, eventType string) []event.Event {
	b.Helper()
	f, err := os.Open("../../../events-samples/flights/2013-01-01.ndjson.gz")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	var batch []event.Event
	for lines := bufio.NewScanner(z); lines.Scan() && len(batch) < 500; {
		e, err := event.Parse(bytes.Clone(lines.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		if e, err = e.Edit().Set("type", eventType).Build(); err != nil {
			b.Fatal(err)
		}
		batch = append(batch, e.Stamp(1_700_000_000_000))
	}
	return batch
}

// BenchmarkEffect is what the lease of one effect costs: two transactions on the
// embedded store.
func BenchmarkEffect(b *testing.B) {
	s := stageFor(b, newEffects(), Options{Leases: newStore(b, time.Now)})
	for i := 0; b.Loop(); i++ {
		if o := one(b.Context(), s, newEvent(b, "effect", i, actForward)); o.Err != nil {
			b.Fatal(o.Err)
		}
	}
}
