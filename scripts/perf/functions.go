package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// invocation is one line of the functions' benchmark.
type invocation struct {
	function string
	memoryMB int
	value    map[string]float64 // by unit
}

// measureFunctions runs the benchmark of the functions' real bootstraps; that of persist
// needs MongoDB, and is left out without.
func measureFunctions(ctx context.Context, o options) ([]invocation, error) {
	benchtime := "300ms"
	if o.scale < 1 {
		benchtime = "1x"
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkInvoke$", "-benchtime", benchtime, "./functions")
	cmd.Env = environment(o.real)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("benchmark of the functions: %w\n%s", err, out)
	}
	return parseInvocations(string(out))
}

var benchName = regexp.MustCompile(`^BenchmarkInvoke/([a-z-]+)/([0-9]+)MB/[0-9]+(-[0-9]+)?$`)

// parseInvocations reads the lines of Go's benchmark format that are of the functions.
func parseInvocations(out string) ([]invocation, error) {
	var all []invocation
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		m := benchName.FindStringSubmatch(f[0])
		if m == nil {
			continue
		}
		memory, err := strconv.Atoi(m[2])
		if err != nil {
			return nil, err
		}
		i := invocation{function: m[1], memoryMB: memory, value: make(map[string]float64)}
		for k := 2; k+1 < len(f); k += 2 { // after the name and the count: value, unit
			v, err := strconv.ParseFloat(f[k], 64)
			if err != nil {
				return nil, fmt.Errorf("benchmark line %q: %w", line, err)
			}
			i.value[f[k+1]] = v
		}
		all = append(all, i)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the benchmark of the functions has no results:\n%s", out)
	}
	return all, nil
}

func writeFunctions(b *bytes.Buffer, all []invocation) {
	b.WriteString("\n## Lambda functions\n\nThe real `bootstrap`s, each a process on a Lambda Runtime API: ingest from Kafka with the schema check, process and persist from SQS in packs as in production, " +
		"AWS answered by a stub, MongoDB real. Memory is the most that the process had resident at that memory setting; " +
		"of a Kafka payload, 10,000 flights do not fit into Lambda's 6 MB, and as many were sent as do. Packs of flights compress better than most events.\n\n" +
		"| function | events per invocation | µs/invocation | µs/event | CPU µs/event | start ms | memory MB at 128 | at 256 | at 512 |\n|---|---|---|---|---|---|---|---|---|\n")
	type key struct {
		function string
		events   float64
	}
	memory := make(map[key]map[int]float64)
	var order []invocation // at the largest setting: the others differ in memory alone
	for _, i := range all {
		k := key{i.function, i.value["events/op"]}
		if memory[k] == nil {
			memory[k] = make(map[int]float64)
		}
		memory[k][i.memoryMB] = i.value["peak-MB"]
		if i.memoryMB == 512 {
			order = append(order, i)
		}
	}
	for _, name := range []string{"ingest", "process", "persist"} {
		for _, i := range order {
			if i.function != name {
				continue
			}
			m := memory[key{name, i.value["events/op"]}]
			fmt.Fprintf(b, "| %s | %.0f | %.0f | %.1f | %.1f | %.0f | %.0f | %.0f | %.0f |\n", name, i.value["events/op"],
				i.value["µs/op"], i.value["µs/event"], i.value["cpu-µs/event"], i.value["init-ms"], m[128], m[256], m[512])
		}
	}
}
