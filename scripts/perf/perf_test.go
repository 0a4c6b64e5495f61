package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/bench"
)

func TestScaled(t *testing.T) {
	for flags, want := range map[string]string{
		"--rate 60000 --events 3600000":                       "--rate 60000 --events 3600",
		"--events 20000 --milestones 1000,20000 --size 542":   "--events 20 --milestones 1,20 --size 542",
		"--events 10 --in-flight 50000 --pollers 3 --again 1": "--events 1 --in-flight 50000 --pollers 3 --again 1",
	} {
		if got := scaled(flags, 0.001); got != want {
			t.Errorf("%s: %s, want %s", flags, got, want)
		}
	}
}

const benchOutput = `goos: linux
BenchmarkInvoke/ingest/128MB/10-2     165	1374021 ns/op	103.0 cpu-µs/event	10.00 events/op	17.82 init-ms	21.67 peak-MB	137.4 µs/event	1374 µs/op
BenchmarkInvoke/ingest/512MB/10       199	1277105 ns/op	95.48 cpu-µs/event	10.00 events/op	18.60 init-ms	21.33 peak-MB	127.7 µs/event	1277 µs/op
BenchmarkOther-2                      1	1 ns/op
PASS
`

func TestFunctions(t *testing.T) {
	all, err := parseInvocations(benchOutput)
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	var b bytes.Buffer
	writeFunctions(&b, all)
	if want := "| ingest | 10 | 1277 | 127.7 | 95.5 | 19 | 22 | 0 | 21 |\n"; !strings.Contains(b.String(), want) {
		t.Errorf("no line %sin %s", want, b.String())
	}
	if _, err := parseInvocations("PASS\n"); err == nil {
		t.Error("no results are no error")
	}
}

// Every row that a table reads is measured, once.
func TestKeys(t *testing.T) {
	seen := make(map[string]int)
	for _, s := range sections(true) {
		for _, r := range s.rows {
			seen[r.key]++
		}
	}
	for _, key := range []string{keyFlights, keyOrders, keyReal} {
		if seen[key] != 1 {
			t.Errorf("%d rows %q", seen[key], key)
		}
	}
}

func TestBounds(t *testing.T) {
	all := sections(false)
	for _, key := range []string{keyFlights, keyOrders} {
		find(all, key).got = bench.Summary{CPU: 20, PerSecond: 50_000, Cores: 2, Steps: map[string]float64{"attributes": 5, "event store": 10, "packs": 1, "queues": 0.5}}
	}
	var b bytes.Buffer
	writeBounds(&b, all)
	if want := "| 20.0 | 1.00 of 2 | 100000 | event store 10.0 (50 %), attributes 5.0 (25 %), packs 1.0 (5 %) |"; !strings.Contains(b.String(), want) {
		t.Errorf("no %s in %s", want, b.String())
	}
	b.Reset()
	writeParts(&b, all)
	if want := "| not attributed | 3.50 (18 %) |"; !strings.Contains(b.String(), want) {
		t.Errorf("no %s in %s", want, b.String())
	}
}
