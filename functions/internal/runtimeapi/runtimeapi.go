// Package runtimeapi runs a function's real bootstrap as Lambda does, for tests and
// benchmarks: one process per execution environment, which takes its invocations from
// the Lambda Runtime API and is ended with SIGTERM (AWS Lambda Developer Guide, "Using
// the Lambda runtime API", "Lambda execution environment lifecycle").
package runtimeapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/millrace-pipeline/millrace/shared/proc"
)

// Options of Start.
type Options struct {
	Bootstrap string   // path of the binary
	Env       []string // besides what Lambda sets
	MemoryMB  int      // the function's memory setting
}

// Environment is one execution environment: a process and its Runtime API.
type Environment struct {
	Init time.Duration // from the start of the process to its first request for work

	cmd    *exec.Cmd
	server *http.Server
	log    lockedBuffer
	work   chan *invocation
	exited chan struct{}
	waited error

	mu      sync.Mutex
	current *invocation
	n       int
}

type invocation struct {
	id       string
	payload  []byte
	deadline time.Time
	answer   []byte
	err      error
	done     chan struct{}
}

// startWithin bounds the init phase, as Lambda does (10 s).
const startWithin = 10 * time.Second

// Start starts the process and waits until it asks for work.
func Start(ctx context.Context, o Options) (*Environment, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &Environment{work: make(chan *invocation), exited: make(chan struct{})}
	ready := make(chan time.Time, 1)
	e.server = &http.Server{Handler: e.routes(ready), ReadHeaderTimeout: startWithin}
	go func() { _ = e.server.Serve(ln) }() // ends with Stop

	e.cmd = exec.Command(o.Bootstrap)
	e.cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + ln.Addr().String(),
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(o.MemoryMB),
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
	}, o.Env...)
	e.cmd.Stdout, e.cmd.Stderr = &e.log, &e.log
	begun := time.Now()
	if err := e.cmd.Start(); err != nil {
		_ = e.server.Close()
		return nil, err
	}
	go func() {
		e.waited = e.cmd.Wait()
		close(e.exited)
	}()
	select {
	case at := <-ready:
		e.Init = at.Sub(begun)
		return e, nil
	case <-e.exited:
		_ = e.server.Close()
		return nil, fmt.Errorf("the function ended at start: %w\n%s", e.waited, e.Log())
	case <-time.After(startWithin):
		_ = e.Stop()
		return nil, fmt.Errorf("the function asked for no work within %s\n%s", startWithin, e.Log())
	}
}

func (e *Environment) routes(ready chan time.Time) http.Handler {
	const base = "/2018-06-01/runtime"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case ready <- time.Now():
		default:
		}
		e.next(w, r)
	})
	mux.HandleFunc("POST "+base+"/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		e.finish(w, r, func(i *invocation, body []byte) { i.answer = body })
	})
	mux.HandleFunc("POST "+base+"/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		e.finish(w, r, func(i *invocation, body []byte) { i.err = fmt.Errorf("the function answered with an error: %s", body) })
	})
	mux.HandleFunc("POST "+base+"/init/error", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(&e.log, "init error: %s\n", body)
		w.WriteHeader(http.StatusAccepted)
	})
	// aws-lambda-go registers an internal extension so that Lambda sends SIGTERM.
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "test")
		_, _ = io.WriteString(w, "{}")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	return mux
}

func (e *Environment) next(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock() // asking for the next one ends the invocation before
	if i := e.current; i != nil {
		e.current = nil
		close(i.done)
	}
	e.mu.Unlock()
	select {
	case i := <-e.work:
		e.mu.Lock()
		e.current = i
		e.mu.Unlock()
		h := w.Header()
		h.Set("Lambda-Runtime-Aws-Request-Id", i.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:test")
		h.Set("Content-Type", "application/json")
		_, _ = w.Write(i.payload)
	case <-r.Context().Done():
	}
}

func (e *Environment) finish(w http.ResponseWriter, r *http.Request, set func(*invocation, []byte)) {
	body, err := io.ReadAll(r.Body) // the answer may come in chunks
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil || e.current == nil || e.current.id != r.PathValue("id") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	set(e.current, body)
	w.WriteHeader(http.StatusAccepted)
}

// Invoke runs one invocation and waits for it to be over: until the function asks for
// the next one. Environments take one invocation at a time.
func (e *Environment) Invoke(payload []byte, timeout time.Duration) ([]byte, error) {
	e.n++
	i := &invocation{id: fmt.Sprintf("request-%d", e.n), payload: payload, deadline: time.Now().Add(timeout), done: make(chan struct{})}
	late := time.NewTimer(timeout)
	defer late.Stop()
	select {
	case e.work <- i:
	case <-e.exited:
		return nil, fmt.Errorf("the function has ended: %w\n%s", e.waited, e.Log())
	case <-late.C:
		return nil, errors.New("the function asks for no work")
	}
	select {
	case <-i.done:
		return i.answer, i.err
	case <-e.exited:
		return nil, fmt.Errorf("the function ended during the invocation: %w\n%s", e.waited, e.Log())
	case <-late.C:
		return nil, errors.New("the invocation timed out")
	}
}

// Stop sends SIGTERM and, as Lambda does 500 ms later, SIGKILL.
func (e *Environment) Stop() error {
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.exited:
	case <-time.After(500 * time.Millisecond):
		_ = e.cmd.Process.Kill()
		<-e.exited
	}
	return e.server.Close()
}

// Log is what the process has written to its standard output and error.
func (e *Environment) Log() string { return e.log.String() }

// CPU is the processor time that the process has used.
func (e *Environment) CPU() (time.Duration, error) { return proc.CPU(e.cmd.Process.Pid) }

// PeakMemory is the most resident memory that the process has had, in bytes.
func (e *Environment) PeakMemory() (int, error) { return proc.PeakMemory(e.cmd.Process.Pid) }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
