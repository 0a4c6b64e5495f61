package spec

import (
	"strings"
	"testing"
	"time"
)

func TestSLOs(t *testing.T) {
	budget := map[string]float64{SLOAvailability: 0.0001, SLOLatency: 0.01, SLOErrorRate: 0.001, SLODelivery: 0.001, SLOThroughput: 0}
	if len(SLOs) != len(budget) {
		t.Errorf("%d SLOs", len(SLOs))
	}
	for _, s := range SLOs {
		if got := s.Budget(); got != budget[s.Name] {
			t.Errorf("%s: budget %v, want %v", s.Name, got, budget[s.Name])
		}
		if _, ok := ThresholdByName(s.Alert); !ok {
			t.Errorf("%s: there is no threshold %q", s.Name, s.Alert)
		}
		if (s.Target == 0) != (s.Rate > 0) || !strings.HasSuffix(s.Meaning, ".") {
			t.Errorf("%s: target %v, rate %v: %s", s.Name, s.Target, s.Rate, s.Meaning)
		}
		for _, stage := range s.Stages {
			series := []Series{s.Total}
			if s.Target > 0 {
				series = append(series, s.Bad)
			}
			for _, x := range series {
				if m, ok := MetricByName(x.Metric); !ok || !m.EmittedBy(stage) {
					t.Errorf("%s: %s does not emit %s", s.Name, stage, x.Metric)
				}
			}
		}
	}
}

// The Site Reliability Workbook, table 5-8: the part of a 30 days' budget that has been
// spent when the long window fires, and the short window a twelfth of the long one.
func TestBurnRates(t *testing.T) {
	spent := map[string]string{"fast": "2 %", "medium": "5 %", "slow": "10 %"}
	for _, b := range BurnRates {
		part := b.Factor * b.Long.Hours() / SLOWindow.Hours() * 100
		if got := FormatNumber(float64(int(part+0.5))) + " %"; got != spent[b.Name] || b.Spent != got {
			t.Errorf("%s: %v of the budget, the table says %s", b.Name, got, b.Spent)
		}
		if b.Short*12 != b.Long {
			t.Errorf("%s: windows %v and %v", b.Name, b.Long, b.Short)
		}
	}
}

func TestSeverities(t *testing.T) {
	within := []string{"15 minutes", "1 hour", "4 hours", "next business day"}
	next := []string{Secondary, Secondary, Secondary, ""}
	for i, s := range Severities {
		if s.Within() != within[i] || s.Next() != next[i] || s.Chain[0] != Primary {
			t.Errorf("%s: within %s, next %q", s.Name, s.Within(), s.Next())
		}
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "1 second", 90 * time.Second: "90 seconds", time.Minute: "1 minute", 90 * time.Minute: "90 minutes",
		6 * time.Hour: "6 hours", 72 * time.Hour: "3 days",
	} {
		if got := words(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
