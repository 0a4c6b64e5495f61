package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace-pipeline/millrace/shared/bench"
)

// budget is what each step may cost for an event of 0.5 KB, in µs of CPU: the figures that
// DESIGN.md's numbers rest on, measured in an experiment on 2 cores before the pipeline was
// written. step is the name that `millrace bench` gives it, and from the row that has it.
var budget = []struct {
	step, from, basis string
	micros            float64 // 0: it was not measured apart
}{
	{"kafka broker", keyOrders, "in-process broker, both sides, events of 1.1 KB", 1},
	{"kafka client", keyOrders, "consumer, events of 1.1 KB", 1.5},
	{"lambda payloads", keyOrders, "scan of a Kafka payload with base64 in place, once; the pipeline makes and reads one in each of three stages", 0.36},
	{"attributes", keyOrders, "scan in three stages", 1.25},
	{"schema check", keyFlights, "rules compiled by hand, once", 2.5},
	{"packs", keyOrders, "S2 and base64, encoded and decoded twice", 1.15},
	{"queues", keyOrders, "in the rest", 0},
	{"delivery", keyOrders, "in the rest", 0},
	{"handlers", keyFlights, "none in the experiment", 0},
	{"event store", keyOrders, "SQLite with a narrow row per event, small table", 8},
}

// What the experiment cost in all for an event of 0.5 KB, and what the design holds the
// whole process to, generator included.
const (
	budgetWithoutStore = 8.5
	budgetAll          = 19.5
)

// writeBudget sets the steps' budget beside what they cost.
func writeBudget(b *bytes.Buffer, all []section) {
	orders, flights := find(all, keyOrders), find(all, keyFlights)
	fmt.Fprintf(b, "\n## Budget per step\n\nFor an event of 0.5 KB, µs of CPU. The budget is DESIGN.md's: the experiment behind it cost %.1f in all without a store, and the design allows %.1f with everything. "+
		"Measured is `%s`; the schema check and the handlers, which orders have none of, are of `%s`.\n\n"+
		"| step | budget | measured | basis of the budget |\n|---|---|---|---|\n", budgetWithoutStore, budgetAll, orders.shown(), flights.shown())
	for _, s := range budget {
		allowed := "–"
		if s.micros > 0 {
			allowed = fmt.Sprintf("%.2f", s.micros)
		}
		fmt.Fprintf(b, "| %s | %s | %.2f | %s |\n", s.step, allowed, find(all, s.from).got.Steps[s.step], s.basis)
	}
	fmt.Fprintf(b, "| everything, of an order | %.2f | %.2f | generator included |\n", budgetAll, orders.got.CPU)
}

// writeParts is where the CPU of the runs with a fixed rate goes.
func writeParts(b *bytes.Buffer, all []section) {
	var rows []*row
	for _, key := range []string{keyFlights, keyOrders, keyReal} {
		if r := find(all, key); r != nil {
			rows = append(rows, r)
		}
	}
	b.WriteString("\n## Where the CPU goes\n\nµs of CPU per event, from a profile sampled during the run: by part, which is whose goroutine ran, and by step, which is what it worked on. " +
		"What no part has is the last line of each table.\n")
	writeShares(b, rows, "part", func(r *bench.Summary) map[string]float64 { return r.Parts })
	writeShares(b, rows, "step", func(r *bench.Summary) map[string]float64 { return r.Steps })
}

func writeShares(b *bytes.Buffer, rows []*row, of string, shares func(*bench.Summary) map[string]float64) {
	names := make(map[string]float64) // the most that each costs
	fmt.Fprintf(b, "\n| %s |", of)
	for _, r := range rows {
		fmt.Fprintf(b, " %s |", r.what)
		for name, v := range shares(&r.got) {
			names[name] = max(names[name], v)
		}
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(rows)) + "\n")
	for _, name := range dearest(names) {
		fmt.Fprintf(b, "| %s |", name)
		for _, r := range rows {
			fmt.Fprintf(b, " %.2f |", shares(&r.got)[name])
		}
		b.WriteString("\n")
	}
	b.WriteString("| not attributed |")
	for _, r := range rows {
		rest := r.got.CPU
		for _, v := range shares(&r.got) {
			rest -= v
		}
		fmt.Fprintf(b, " %.2f (%.0f %%) |", max(rest, 0), 100*max(rest, 0)/max(r.got.CPU, 1e-9))
	}
	b.WriteString("\n")
}

// dearest are the names, what costs the most first.
func dearest(m map[string]float64) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), strings.Compare(a, b))
	})
}

// writeBounds says what the rate of each run with a fixed rate is bounded by.
func writeBounds(b *bytes.Buffer, all []section) {
	b.WriteString("\n## What bounds it\n\nThe rate at which the cores are all busy, at the CPU per event that the run had; the latency goes before that. Servers on the same machine count.\n\n" +
		"| run | µs/event, servers included | cores busy at its rate | rate with all cores busy | dearest steps |\n|---|---|---|---|---|\n")
	for _, key := range []string{keyFlights, keyOrders, keyReal} {
		r := find(all, key)
		if r == nil {
			continue
		}
		each := r.got.CPU + r.got.ServersCPU
		fmt.Fprintf(b, "| %s | %.1f | %.2f of %d | %.0f | %s |\n", r.what, each,
			each*r.got.PerSecond/1e6, r.got.Cores, float64(r.got.Cores)*1e6/max(each, 1e-9), dearestSteps(&r.got))
	}
}

func dearestSteps(r *bench.Summary) string {
	costs := maps.Clone(r.Steps)
	if r.ServersCPU > 0 {
		costs["Kafka and MongoDB"] = r.ServersCPU
	}
	names := dearest(costs)
	var out []string
	for _, name := range names[:min(len(names), 3)] {
		out = append(out, fmt.Sprintf("%s %.1f (%.0f %%)", name, costs[name], 100*costs[name]/max(r.CPU+r.ServersCPU, 1e-9)))
	}
	return strings.Join(out, ", ")
}
