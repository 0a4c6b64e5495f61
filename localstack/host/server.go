package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 90 * time.Second // Kafka takes 5 s on an idle core, far more on a busy one
	stopTimeout  = 30 * time.Second // from SIGTERM to SIGKILL
	killTimeout  = 30 * time.Second // from SIGKILL to the end
	readyTimeout = 5 * time.Second  // of one check
	readyPause   = 50 * time.Millisecond
)

// Server is one server process with its run directory, which holds its data, its pidfile
// and its log. It may be started, stopped and killed any number of times; it always comes
// back on the same port and data. Its methods may be called by one goroutine at a time.
type Server struct {
	name   string
	dir    string
	detach bool
	grace  time.Duration // stopTimeout
	// prepare fetches what the server needs, chooses its ports, and says how to run it: the
	// run directory must be in the command line, by which the process is known again.
	prepare func(ctx context.Context) (*exec.Cmd, error)
	ready   func(ctx context.Context) error // nil when it serves; one try

	proc *process
}

// Start starts the server and returns when it serves; the first time ever it downloads
// what it needs into the cache. An error of a server that ended or did not get ready
// shows the end of its log.
func (s *Server) Start(ctx context.Context) error {
	if pid := s.PID(); pid != 0 {
		return fmt.Errorf("%s is running already as process %d", s.name, pid)
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	cmd, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	p, err := startProcess(cmd, s.dir, log, s.detach)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.proc = p
	err = os.WriteFile(pidfile(s.dir), []byte(strconv.Itoa(p.pid)+"\n"), 0o644)
	if err == nil {
		err = s.awaitReady(ctx)
	}
	if err != nil {
		err = fmt.Errorf("%s did not start: %w%s", s.name, err, tail(s.LogFile(), before))
		return errors.Join(err, s.Kill(context.WithoutCancel(ctx)))
	}
	return nil
}

func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready within %s", startTimeout))
	defer cancel()
	var ended error
	err := Poll(ctx, readyPause, func(ctx context.Context) error {
		if !s.proc.running() {
			ended = fmt.Errorf("the process ended: %w", exitError(s.proc.err))
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, readyTimeout)
		defer cancel()
		return s.ready(ctx)
	})
	return errors.Join(err, ended)
}

func exitError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// Stop ends the server as an operator would (SIGTERM) and returns when it is gone. One
// that does not go within 30 s is killed, and the error says so. A server that does not
// run is left alone.
func (s *Server) Stop(ctx context.Context) error {
	p := s.process()
	if p == nil {
		return s.gone()
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	waitCtx, cancel := context.WithTimeout(ctx, s.grace)
	defer cancel()
	if err := p.wait(waitCtx); err != nil {
		return errors.Join(fmt.Errorf("%s did not stop within %s of SIGTERM and was killed", s.name, s.grace), s.Kill(ctx))
	}
	return s.gone()
}

// Kill ends the server at once (SIGKILL), as a crash does, and returns when it is gone.
func (s *Server) Kill(ctx context.Context) error {
	p := s.process()
	if p == nil {
		return s.gone()
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %s: %w", s.name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	if err := p.wait(ctx); err != nil {
		return fmt.Errorf("kill %s: %w", s.name, err)
	}
	return s.gone()
}

func (s *Server) gone() error {
	s.proc = nil
	err := os.Remove(pidfile(s.dir))
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// PID of the running server, 0 when it does not run.
func (s *Server) PID() int {
	if p := s.process(); p != nil {
		return p.pid
	}
	return 0
}

// LogFile has what the server printed, of all its starts.
func (s *Server) LogFile() string { return filepath.Join(s.dir, "log") }

// Dir is the run directory.
func (s *Server) Dir() string { return s.dir }

func (s *Server) process() *process {
	if s.proc != nil {
		if s.proc.running() {
			return s.proc
		}
		return nil
	}
	return findProcess(s.dir)
}

// tail is the end of what was written to a log after an offset, for an error message.
func tail(file string, after int64) string {
	const lines, size = 20, 8 << 10
	b, err := os.ReadFile(file)
	if err != nil || int64(len(b)) <= after {
		return "; it printed nothing (" + file + ")"
	}
	b = bytes.TrimSpace(b[max(after, int64(len(b))-size):])
	all := strings.Split(string(b), "\n")
	all = all[max(0, len(all)-lines):]
	return fmt.Sprintf("\nthe end of %s:\n%s", file, strings.Join(all, "\n"))
}
