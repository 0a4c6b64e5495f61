package alarm

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

func near(got *float64, want float64) bool {
	return got != nil && math.Abs(*got-want) <= 1e-9*math.Abs(want)+1e-9
}

func TestSLOs(t *testing.T) {
	f := newFake()
	for m := range 60 {
		for _, stage := range []string{spec.Ingest, spec.Process, spec.Persist} {
			f.set(stage, spec.BatchSize, m, 1000)
			f.set(stage, spec.EventThroughput, m, 1000)
		}
		f.set(spec.Persist, spec.EventsStored, m, 600)
	}
	f.set(spec.Persist, spec.EventsStored, 30, 6000)
	f.set(spec.Persist, spec.FailedEvents, 10, 90)      // of 180,000: half of the budget
	f.set(spec.Process, spec.DLQSent, 57, 360)          // twice the budget
	f.set(spec.Ingest, spec.UnavailableEvents, 58, 1.8) // a tenth
	got, err := SLOs(t.Context(), f, start.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]SLOStatus{}
	for _, s := range got {
		by[s.Name] = s
	}
	if s := by[spec.SLOErrorRate]; !near(s.BudgetLeft, 50) || !near(s.Achieved, 99.95) || s.Total != 180_000 || s.Bad != 90 {
		t.Errorf("got %+v", s)
	}
	if s := by[spec.SLODelivery]; !near(s.BudgetLeft, -100) || !near(s.Achieved, 99.8) {
		t.Errorf("got %+v", s)
	}
	if s := by[spec.SLOAvailability]; !near(s.BudgetLeft, 90) {
		t.Errorf("got %+v", s)
	}
	if s := by[spec.SLOLatency]; s.BudgetLeft != nil || s.Achieved != nil || s.Burning[0].Rate != nil {
		t.Errorf("without events nobody knows: %+v", s)
	}
	if s := by[spec.SLOThroughput]; !near(s.Achieved, 100) || s.BudgetLeft != nil || s.Target != 100_000 {
		t.Errorf("got %+v", s)
	}
	// 360 of the 15,000 of five minutes are 2.4 %: 24 times too fast.
	if b := by[spec.SLODelivery].Burning; b[0].Window != 5*time.Minute || !near(b[0].Rate, 24) || !near(b[len(b)-1].Rate, 2) {
		t.Errorf("got %+v", b)
	}
	if w := burnWindows(); !slices.Equal(w, []time.Duration{5 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 72 * time.Hour}) {
		t.Errorf("windows %v", w)
	}
}

func TestSLOsReportTheSourcesError(t *testing.T) {
	f := newFake()
	f.err[spec.Ingest+" "+spec.BatchSize] = errors.New("locked")
	if _, err := SLOs(t.Context(), f, start); err == nil || err.Error() != "SLO availability: locked" {
		t.Errorf("got %v", err)
	}
}
