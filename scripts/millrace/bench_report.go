package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/bench"
)

// benchJSON is what --json writes.
type benchJSON struct {
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
	Milestones   []milestoneJSON    `json:"milestones,omitempty"`
}

type milestoneJSON struct {
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

func perEvent(r *bench.Result, s bench.Shares) map[string]float64 {
	m := make(map[string]float64, len(s))
	for i := range s {
		m[s[i].Name] = micros(r.PerEvent(s[i].CPU))
	}
	return m
}

func benchToJSON(r *bench.Result, pollers int) benchJSON {
	out := benchJSON{
		Sent: r.Sent, Stored: r.Stored, Duplicates: r.Duplicates, Dropped: r.Dropped, Dead: r.Dead,
		Seconds: r.Elapsed.Seconds(), PerSecond: r.PerSecond(),
		CPU: micros(r.PerEvent(r.CPU)), ServersCPU: micros(r.PerEvent(r.ServersCPU)),
		P50: millis(r.Latency.Quantile(0.5)), P99: millis(r.Latency.Quantile(0.99)), P999: millis(r.Latency.Quantile(0.999)),
		Memory: r.PeakMemory, Cores: runtime.GOMAXPROCS(0), Pollers: pollers,
		Parts: perEvent(r, r.Parts), Steps: perEvent(r, r.Steps), Unattributed: r.Unattributed(),
		Schema: micros(r.PerEvent(r.Steps.Of(bench.StepSchema))),
	}
	for _, m := range r.Milestones {
		out.Milestones = append(out.Milestones, milestoneJSON{
			Events: m.Events, Window: m.Window, PerSecond: m.PerSecond(),
			CPU: micros(m.PerEvent(m.CPU)), ServersCPU: micros(m.PerEvent(m.ServersCPU)),
			Memory: m.PeakMemory, Disk: m.Disk,
		})
	}
	return out
}

func writeBench(e env, g *globalOptions, r *bench.Result, pollers int) error {
	if g.json {
		return writeJSON(e.stdout, benchToJSON(r, pollers))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s sent: %s stored (%s of them there before), %s dropped, %s dead-lettered, in %.1f s\n",
		count(r.Sent, "event"), number(r.Stored), number(r.Duplicates), number(r.Dropped), number(r.Dead), r.Elapsed.Seconds())
	fmt.Fprintf(&b, "%s events/s on %s, %.1f µs CPU an event (generator included), %s of memory\n",
		number(int64(r.PerSecond())), count(runtime.GOMAXPROCS(0), "core"), micros(r.PerEvent(r.CPU)), size(r.PeakMemory))
	if r.ServersCPU > 0 {
		fmt.Fprintf(&b, "%.1f µs CPU an event in the servers\n", micros(r.PerEvent(r.ServersCPU)))
	}
	fmt.Fprintf(&b, "latency p50 %s, p99 %s, p99.9 %s\n",
		latency(r.Latency.Quantile(0.5)), latency(r.Latency.Quantile(0.99)), latency(r.Latency.Quantile(0.999)))
	writeShares(&b, r, "by part", r.Parts)
	writeShares(&b, r, "by step", r.Steps)
	if schema := r.Steps.Of(bench.StepSchema); schema > 0 {
		fmt.Fprintf(&b, "schema check: %.1f µs CPU an event\n", micros(r.PerEvent(schema)))
	} else {
		b.WriteString("schema check: these events have no schema\n")
	}
	for _, m := range r.Milestones {
		fmt.Fprintf(&b, "at %s: the last %s at %s events/s and %.1f µs CPU an event, %s of memory and %s of disk so far\n",
			count(m.Events, "event"), number(m.Window), number(int64(m.PerSecond())), micros(m.PerEvent(m.CPU)), size(m.PeakMemory), size(int(m.Disk)))
	}
	_, err := e.stdout.Write([]byte(b.String()))
	return err
}

// writeShares writes what each part of the CPU time was, in µs an event, and how much is
// in none.
func writeShares(b *strings.Builder, r *bench.Result, by string, s bench.Shares) {
	fmt.Fprintf(b, "\nµs CPU an event %s, sampled:\n", by)
	for i := range s {
		fmt.Fprintf(b, "  %-18s %5.2f\n", s[i].Name, micros(r.PerEvent(s[i].CPU)))
	}
	rest := max(r.CPU-s.Total(), 0)
	fmt.Fprintf(b, "  %-18s %5.2f  (%.0f %%)\n", "not attributed", micros(r.PerEvent(rest)), 100*float64(rest)/float64(max(r.CPU, 1)))
}
