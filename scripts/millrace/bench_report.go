package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/bench"
)

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func writeBench(e env, g *globalOptions, r *bench.Result, pollers int) error {
	if g.json {
		return writeJSON(e.stdout, r.Summary(pollers))
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
