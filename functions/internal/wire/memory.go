package wire

import (
	"os"
	"runtime/debug"
	"strconv"
)

// Lambda ends a process that passes the function's memory setting, and Go's collector does
// not know of it: by default it lets the heap double. The soft limit leaves a fifth for
// what is not the heap's: the program itself, and what is between a limit and a peak.
const (
	envMemory   = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" // MB; set by Lambda ("Defined runtime environment variables")
	envGoLimit  = "GOMEMLIMIT"                      // set by an operator: it counts
	memoryShare = 0.8
)

// limitMemory sets the soft limit.
func limitMemory() {
	if n := memoryLimit(os.Getenv(envMemory), os.Getenv(envGoLimit)); n > 0 {
		debug.SetMemoryLimit(n)
	}
}

// memoryLimit in bytes for the values of the two variables; 0: leave it as it is.
func memoryLimit(memory, goLimit string) int64 {
	mb, err := strconv.ParseInt(memory, 10, 32)
	if err != nil || mb <= 0 || goLimit != "" {
		return 0
	}
	return int64(float64(mb<<20) * memoryShare)
}
