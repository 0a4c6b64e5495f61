package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// result is what `millrace bench --json` writes.
type result struct {
	Sent         int                `json:"sent"`
	Stored       int                `json:"stored"`
	Dropped      int                `json:"dropped"`
	Dead         int                `json:"dead"`
	PerSecond    float64            `json:"events_per_second"`
	CPU          float64            `json:"cpu_us_per_event"`
	ServersCPU   float64            `json:"servers_cpu_us_per_event"`
	P50          float64            `json:"p50_ms"`
	P99          float64            `json:"p99_ms"`
	P999         float64            `json:"p999_ms"`
	Memory       int                `json:"peak_memory_bytes"`
	Cores        int                `json:"cores"`
	Parts        map[string]float64 `json:"cpu_parts_us_per_event"`
	Steps        map[string]float64 `json:"cpu_steps_us_per_event"`
	Unattributed float64            `json:"cpu_unattributed"`
	Milestones   []milestone        `json:"milestones"`
}

type milestone struct {
	Events    int     `json:"events"`
	PerSecond float64 `json:"events_per_second"`
	CPU       float64 `json:"cpu_us_per_event"`
	Memory    int     `json:"peak_memory_bytes"`
	Disk      int64   `json:"disk_bytes"`
}

// measure runs the row.
func (r *row) measure(ctx context.Context, o options) error {
	args := append([]string{"bench", "--json"}, strings.Fields(scaled(r.flags, o.scale))...)
	if r.real {
		args = append(args, "--kafka", os.Getenv("MILLRACE_KAFKA"))
		if pids := os.Getenv("MILLRACE_PIDS"); pids != "" {
			args = append(args, "--server-pids", pids)
		}
	}
	cmd := exec.CommandContext(ctx, o.millrace, args...)
	cmd.Env = environment(r.real)
	if r.cores > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("GOMAXPROCS=%d", r.cores))
	}
	cmd.Stderr = os.Stderr
	b, err := cmd.Output()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &r.got); err != nil {
		return err
	}
	if ended := r.got.Stored + r.got.Dropped + r.got.Dead; ended != r.got.Sent {
		return fmt.Errorf("%d of %d events ended", ended, r.got.Sent)
	}
	return nil
}

// environment of a program to measure: with MongoDB only where it is to be used, and
// without what only this command reads.
func environment(mongo bool) []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "MILLRACE_PIDS=") || !mongo && strings.HasPrefix(kv, "MONGODB_URI=")
	})
}

var numbers = regexp.MustCompile(`(--events|--milestones) ([0-9,]+)`)

// scaled has the numbers of events in flags times the scale.
func scaled(flags string, scale float64) string {
	if scale == 1 {
		return flags
	}
	return numbers.ReplaceAllStringFunc(flags, func(flag string) string {
		name, list, _ := strings.Cut(flag, " ")
		var out []string
		for n := range strings.SplitSeq(list, ",") {
			v, err := strconv.Atoi(n)
			if err != nil { // the expression takes digits only
				panic(err)
			}
			out = append(out, strconv.Itoa(max(int(float64(v)*scale), 1)))
		}
		return name + " " + strings.Join(out, ",")
	})
}
