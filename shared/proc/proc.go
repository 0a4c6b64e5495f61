// Package proc reads what processes on this machine have used, from Linux's /proc. It is
// for benchmarks.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// CPU is the user and system time that a process has used, in steps of 10 ms.
func CPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:]))
	ticks := 0
	for _, at := range []int{11, 12} { // utime, stime (proc_pid_stat(5))
		n, err := strconv.Atoi(fields[at])
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100, nil
}

var highWater = regexp.MustCompile(`VmHWM:\s+([0-9]+) kB`)

// PeakMemory is the most resident memory that a process has had, in bytes.
func PeakMemory(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	m := highWater.FindSubmatch(b)
	if m == nil {
		return 0, errors.New("no VmHWM")
	}
	kb, err := strconv.Atoi(string(m[1]))
	return kb << 10, err
}
