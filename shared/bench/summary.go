package bench

import (
	"runtime"
	"time"
)

// Summary is a result as `millrace bench --json` writes it, and scripts/perf reads it.
type Summary struct {
	Sent         int                `json:"sent"`
	Stored       int                `json:"stored"`
	Duplicates   int                `json:"duplicates"`
	Dropped      int                `json:"dropped"`
	Dead         int                `json:"dead"`
	Seconds      float64            `json:"seconds"`
	PerSecond    float64            `json:"events_per_second"`
	CPU          float64            `json:"cpu_us_per_event"`
	ServersCPU   float64            `json:"servers_cpu_us_per_event"`
	P50          float64            `json:"p50_ms"`
	P99          float64            `json:"p99_ms"`
	P999         float64            `json:"p999_ms"`
	Memory       int                `json:"peak_memory_bytes"`
	Cores        int                `json:"cores"`
	Pollers      int                `json:"pollers"`
	Parts        map[string]float64 `json:"cpu_parts_us_per_event"`
	Steps        map[string]float64 `json:"cpu_steps_us_per_event"`
	Unattributed float64            `json:"cpu_unattributed"`
	Schema       float64            `json:"schema_us_per_event"`
	Milestones   []MilestoneSummary `json:"milestones,omitempty"`
}

// MilestoneSummary is one of Result.Milestones.
type MilestoneSummary struct {
	Events     int     `json:"events"`
	Window     int     `json:"window"`
	PerSecond  float64 `json:"events_per_second"`
	CPU        float64 `json:"cpu_us_per_event"`
	ServersCPU float64 `json:"servers_cpu_us_per_event"`
	Memory     int     `json:"peak_memory_bytes"`
	Disk       int64   `json:"disk_bytes"`
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func perEvent(r *Result, s Shares) map[string]float64 {
	m := make(map[string]float64, len(s))
	for i := range s {
		m[s[i].Name] = micros(r.PerEvent(s[i].CPU))
	}
	return m
}

// Summary of the result of a run with that many pollers.
func (r *Result) Summary(pollers int) Summary {
	out := Summary{
		Sent: r.Sent, Stored: r.Stored, Duplicates: r.Duplicates, Dropped: r.Dropped, Dead: r.Dead,
		Seconds: r.Elapsed.Seconds(), PerSecond: r.PerSecond(),
		CPU: micros(r.PerEvent(r.CPU)), ServersCPU: micros(r.PerEvent(r.ServersCPU)),
		P50: millis(r.Latency.Quantile(0.5)), P99: millis(r.Latency.Quantile(0.99)), P999: millis(r.Latency.Quantile(0.999)),
		Memory: r.PeakMemory, Cores: runtime.GOMAXPROCS(0), Pollers: pollers,
		Parts: perEvent(r, r.Parts), Steps: perEvent(r, r.Steps), Unattributed: r.Unattributed(),
		Schema: micros(r.PerEvent(r.Steps.Of(StepSchema))),
	}
	for _, m := range r.Milestones {
		out.Milestones = append(out.Milestones, MilestoneSummary{
			Events: m.Events, Window: m.Window, PerSecond: m.PerSecond(),
			CPU: micros(m.PerEvent(m.CPU)), ServersCPU: micros(m.PerEvent(m.ServersCPU)),
			Memory: m.PeakMemory, Disk: m.Disk,
		})
	}
	return out
}
