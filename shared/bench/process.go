package bench

import (
	"errors"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// cpuTime is the user and system time that this process has used.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

var highWater = regexp.MustCompile(`VmHWM:\s+([0-9]+) kB`)

// peakMemory is the most resident memory this process has had (Linux).
func peakMemory() (int, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	m := highWater.FindSubmatch(b)
	if m == nil {
		return 0, errors.New("/proc/self/status has no VmHWM")
	}
	kb, err := strconv.Atoi(string(m[1]))
	return kb << 10, err
}
