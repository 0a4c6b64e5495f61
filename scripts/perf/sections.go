package main

import (
	"bytes"
	"fmt"

	"github.com/millrace-pipeline/millrace/shared/bench"
)

// Keys of the rows that later tables take figures from.
const (
	keyFlights = "flights"
	keyOrders  = "orders"
	keyReal    = "real"
)

// row is one measurement.
type row struct {
	key   string // "": no other table reads it
	what  string
	flags string
	cores int // 0: all
	real  bool
	got   bench.Summary
}

// section is a table of the page.
type section struct {
	title, intro string
	rows         []row
}

func sections(real bool) []section {
	s := []section{
		{"Embedded", "One process: its own Kafka broker, queues and event store in files, and the load generator. Flights are checked against their schema and go through a handler, orders have neither.", []row{
			{key: keyFlights, what: "60,000 flights/s for 60 s", flags: "--rate 60000 --events 3600000"},
			{key: keyOrders, what: "100,000 orders/s of 0.5 KB for 30 s", flags: "--rate 100000 --events 3000000 --size 542"},
			{what: "50,000 orders/s of 1.1 KB for 30 s", flags: "--rate 50000 --events 1500000 --size 1100"},
		}},
		{"What it grows with", "As fast as they are taken, with at most 50,000 events under way: the latency is that of a full pipeline.", []row{
			{what: "flights", flags: "--events 500000 --in-flight 50000"},
			{what: "flights, 1 core", flags: "--events 500000 --in-flight 50000", cores: 1},
			{what: "flights, 1 poller", flags: "--events 500000 --in-flight 50000 --pollers 1"},
			{what: "flights, 3 pollers", flags: "--events 500000 --in-flight 50000 --pollers 3"},
			{what: "flights, 4 pollers", flags: "--events 500000 --in-flight 50000 --pollers 4"},
			{what: "orders of 0.5 KB", flags: "--events 500000 --in-flight 50000 --size 542"},
			{what: "orders of 1.1 KB", flags: "--events 300000 --in-flight 50000 --size 1100"},
			{what: "orders of 4 KB", flags: "--events 100000 --in-flight 20000 --size 4096"},
			{what: "flights, half of them duplicates", flags: "--events 500000 --in-flight 50000 --again 0.5"},
			{what: "flights, 1 % malformed", flags: "--events 500000 --in-flight 50000 --bad 0.01"},
		}},
		{"Size of the store", "One run of 20 million flights. Each row of the second table is the last million events before that size.", []row{
			{what: "20 million flights", flags: "--events 20000000 --in-flight 50000 --milestones 1000000,5000000,20000000"},
		}},
	}
	if real {
		s = append(s, section{"Real Kafka and MongoDB", "Apache Kafka and MongoDB on the same machine and cores, one document per event, majority write concern. The last column is their CPU.", []row{
			{key: keyReal, what: "30,000 flights/s for 60 s, real servers", flags: "--rate 30000 --events 1800000", real: true},
			{what: "flights, as fast as they are taken", flags: "--events 500000 --in-flight 50000", real: true},
			{what: "orders of 1.1 KB, as fast as they are taken", flags: "--events 300000 --in-flight 50000 --size 1100", real: true},
		}})
	}
	return s
}

// find returns the row of a key, nil if it was not measured.
func find(all []section, key string) *row {
	for i := range all {
		for k := range all[i].rows {
			if all[i].rows[k].key == key {
				return &all[i].rows[k]
			}
		}
	}
	return nil
}

func (s *section) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| | flags | events/s | CPU µs/event | p50 ms | p99 ms | p99.9 ms | memory MB | servers' CPU µs/event |\n|---|---|---|---|---|---|---|---|---|\n", s.title, s.intro)
	for i := range s.rows {
		b.WriteString(s.rows[i].line())
	}
	for i := range s.rows {
		writeMilestones(b, s.rows[i].got.Milestones)
	}
}

func (r *row) line() string {
	servers := "–"
	if r.got.ServersCPU > 0 {
		servers = fmt.Sprintf("%.1f", r.got.ServersCPU)
	}
	return fmt.Sprintf("| %s | `%s` | %.0f | %.1f | %.0f | %.0f | %.0f | %d | %s |\n",
		r.what, r.shown(), r.got.PerSecond, r.got.CPU, r.got.P50, r.got.P99, r.got.P999, r.got.Memory>>20, servers)
}

// shown are the flags without this machine's addresses.
func (r *row) shown() string {
	f := r.flags
	if r.real {
		f += " --kafka … --mongo …"
	}
	if r.cores > 0 {
		f = fmt.Sprintf("GOMAXPROCS=%d %s", r.cores, f)
	}
	return f
}

func writeMilestones(b *bytes.Buffer, ms []bench.MilestoneSummary) {
	if len(ms) == 0 {
		return
	}
	b.WriteString("\n| events stored | events/s | CPU µs/event | memory MB so far | disk MB so far, Kafka's log included |\n|---|---|---|---|---|\n")
	for _, m := range ms {
		fmt.Fprintf(b, "| %d | %.0f | %.1f | %d | %d |\n", m.Events, m.PerSecond, m.CPU, m.Memory>>20, m.Disk>>20)
	}
}
