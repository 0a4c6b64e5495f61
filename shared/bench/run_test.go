package bench

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// A run ends with every event accounted for, and knows whose the CPU time was.
func TestRun(t *testing.T) {
	settings, err := spec.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := function.Handlers(settings)
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := function.Schemas(settings)
	if err != nil {
		t.Fatal(err)
	}
	flights, err := Flights()
	if err != nil {
		t.Fatal(err)
	}
	const events, bad, inFlight = 10_000, 100, 4000
	r, err := Run(t.Context(), Options{
		Pipeline: embedded.Options{
			Data: filepath.Join(t.TempDir(), "data"), Listen: "127.0.0.1:0", Kafka: embedded.KafkaOptions{Listen: "127.0.0.1:0"},
			Settings: settings, Handlers: registry, Schema: schemas, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		},
		Load:       Load{Template: flights, Events: events, Bad: float64(bad) / events, InFlight: inFlight},
		Milestones: []int{events, 5000},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent != events || r.Stored != events-bad || r.Dead != bad || r.PerSecond() <= 0 {
		t.Errorf("%d sent, %d stored, %d dead at %.0f/s", r.Sent, r.Stored, r.Dead, r.PerSecond())
	}
	if len(r.Milestones) != 2 || r.Milestones[0].Events < 5000 || r.Milestones[1].Events != events || r.Milestones[1].Disk == 0 {
		t.Errorf("milestones %+v", r.Milestones)
	}
	if first, last := r.Milestones[0], r.Milestones[1]; last.Window != events-first.Events {
		t.Errorf("the windows overlap: %+v", r.Milestones)
	}
	// The profiler's 100 Hz see the stage; the check of a schema is too short for them here.
	if r.Parts.Of(spec.Ingest) == 0 || r.Parts.Of(spec.Ingest) < r.Steps.Of(StepSchema) {
		t.Errorf("parts %v, steps %v", r.Parts, r.Steps)
	}
}

func TestRunRefusesWhatCannotBe(t *testing.T) {
	_, err := Run(t.Context(), Options{Load: Load{Events: 10}, Milestones: []int{11}})
	if err == nil {
		t.Error("a milestone after the last event")
	}
}
