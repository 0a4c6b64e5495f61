package deployed

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Process is an execution environment of a function: on this LocalStack, a process.
type Process struct {
	PID     int
	Version string // of the function
}

// Processes are the execution environments of a function, by its name in package spec.
// They are seen on Linux only.
func (p *Pipeline) Processes(function string) []Process {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil
	}
	name := spec.ResourceName(p.Env, function)
	var found []Process
	for _, file := range files {
		environ, err := os.ReadFile(file) // of another user, or ended since
		if err != nil || variable(environ, "AWS_LAMBDA_FUNCTION_NAME") != name {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			found = append(found, Process{pid, variable(environ, "AWS_LAMBDA_FUNCTION_VERSION")})
		}
	}
	return found
}

// Kill ends it at once, as running out of memory does.
func (p Process) Kill() error { return syscall.Kill(p.PID, syscall.SIGKILL) }

// variable of an environment as /proc shows it: NAME=value, each ended by NUL.
func variable(environ []byte, name string) string {
	for kv := range bytes.SplitSeq(environ, []byte{0}) {
		if value, ok := bytes.CutPrefix(kv, []byte(name+"=")); ok {
			return string(value)
		}
	}
	return ""
}
