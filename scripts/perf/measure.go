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
