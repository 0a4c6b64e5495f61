package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server process: one that this process started, or one that another
// started and whose pidfile was found.
type process struct {
	pid  int
	dir  string        // its run directory, which stands in its command line
	done chan struct{} // closed when it has ended; nil when another process started it
	err  error         // how it ended; to be read after done
}

// startProcess starts a command in a process group of its own, so that a signal to the
// tests' group does not reach it, with its output in a log file. Unless detached it dies
// with this process (see dieWithParent).
func startProcess(cmd *exec.Cmd, dir string, log *os.File, detach bool) (*process, error) {
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if detach {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	} else {
		dieWithParent(cmd.SysProcAttr)
	}
	p := &process{dir: dir, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux counts as the parent's death the end of the thread that forked: keep it.
		runtime.LockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// findProcess is the running process of a run directory, nil if there is none.
func findProcess(dir string) *process {
	b, err := os.ReadFile(pidfile(dir))
	if err != nil {
		return nil
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 {
		return nil
	}
	if p := (&process{pid: pid, dir: dir}); p.running() {
		return p
	}
	return nil
}

func pidfile(dir string) string { return filepath.Join(dir, "pid") }

// running tells a live process from one that has ended and whose number another process
// may have got: only ours has the run directory in its command line.
func (p *process) running() bool {
	if p.done != nil {
		select {
		case <-p.done:
			return false
		default:
			return true
		}
	}
	return strings.Contains(commandLine(p.pid), p.dir)
}

// commandLine of a process; "" when there is none, and as soon as it begins to end.
func commandLine(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err == nil || runtime.GOOS == "linux" {
		return strings.ReplaceAll(string(b), "\x00", " ")
	}
	b, err = exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return string(b)
}

// gone says that the process has ended. One that is ending has no command line any more
// and still holds its ports and files: only a zombie has let them go.
func (p *process) gone() bool {
	if errors.Is(syscall.Kill(p.pid, 0), syscall.ESRCH) {
		return true
	}
	if line := commandLine(p.pid); line != "" {
		return !strings.Contains(line, p.dir)
	}
	return isZombie(p.pid)
}

// isZombie says that only the entry in the process table is left, for the parent to read.
func isZombie(pid int) bool {
	if runtime.GOOS != "linux" {
		state, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
		return err != nil || strings.HasPrefix(string(state), "Z")
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	// proc(5): the state is the first field after the command in brackets, the number of
	// threads the 18th. The first thread becomes a zombie before the others have ended.
	const state, threads = 0, 17
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return len(fields) > threads && fields[state] == "Z" && fields[threads] == "1"
}

// signal sends sig to the process and whatever it has started.
func (p *process) signal(sig syscall.Signal) error {
	err := syscall.Kill(-p.pid, sig)
	if errors.Is(err, syscall.ESRCH) {
		return nil // it ended by itself meanwhile
	}
	return err
}

// wait returns when the process has ended.
func (p *process) wait(ctx context.Context) error {
	if p.done != nil {
		select {
		case <-p.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return Poll(ctx, 20*time.Millisecond, func(context.Context) error {
		if !p.gone() {
			return fmt.Errorf("process %d is still running", p.pid)
		}
		return nil
	})
}
