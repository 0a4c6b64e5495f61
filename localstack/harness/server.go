package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/millrace-pipeline/millrace/localstack/host"
)

// Server is a running server that a test may stop, kill and start again: it comes back on
// the same address with the same data. Its methods may be called by one goroutine at a
// time, which need not be the test's.
type Server struct {
	Addr string // MongoDB's connection string, Kafka's bootstrap server, LocalStack's URL

	lifecycle
	discard func(ctx context.Context) error // ends it and removes its data
}

// lifecycle is what host's servers and containers have in common.
type lifecycle interface {
	// Start returns when the server serves.
	Start(ctx context.Context) error
	// Stop ends it in order (SIGTERM) and returns when it is gone.
	Stop(ctx context.Context) error
	// Kill ends it at once (SIGKILL) and returns when it is gone.
	Kill(ctx context.Context) error
}

// notOurs is the lifecycle of a server that the environment names.
type notOurs struct{ kind }

func (n notOurs) refuse() error {
	return fmt.Errorf("%s names this %s, which a test does not stop and start; unset it for this test", n.env, n.name)
}

func (n notOurs) Start(context.Context) error { return n.refuse() }
func (n notOurs) Stop(context.Context) error  { return n.refuse() }
func (n notOurs) Kill(context.Context) error  { return n.refuse() }

// starter starts a server.
type starter func(ctx context.Context) (*Server, error)

// start takes a container where a Docker engine answers and the image is to be had, else
// a process on this machine.
func start(ctx context.Context, k kind) (*Server, error) {
	var noDocker error
	if noDocker = dockerAnswers(ctx); noDocker == nil {
		s, err := k.docker(ctx)
		if err == nil {
			return s, nil
		}
		noDocker = err
	}
	if required(k.name + inDocker) {
		return nil, fmt.Errorf("%s asks for a container: %w", RequireEnv, noDocker)
	}
	s, err := k.host(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w; nor is there a container: %w", err, noDocker)
	}
	return s, nil
}

func hostMongo(ctx context.Context) (*Server, error) {
	dir, err := RunDir("mongo")
	if err != nil {
		return nil, err
	}
	m, err := host.NewMongo(host.MongoOptions{Dir: dir})
	if err != nil {
		return nil, err
	}
	return startHost(ctx, m.Server, m.URI)
}

func hostKafka(ctx context.Context) (*Server, error) {
	dir, err := RunDir("kafka")
	if err != nil {
		return nil, err
	}
	k, err := host.NewKafka(host.KafkaOptions{Dir: dir})
	if err != nil {
		return nil, err
	}
	return startHost(ctx, k.Server, k.Addr)
}

func hostLocalStack(ctx context.Context) (*Server, error) {
	dir, err := RunDir("localstack")
	if err != nil {
		return nil, err
	}
	l, err := host.NewLocalStack(host.LocalStackOptions{Dir: dir, Env: mskClusters()})
	if err != nil {
		return nil, err
	}
	return startHost(ctx, l.Server, l.Endpoint)
}

// mskClusters has LocalStack take the shared Kafka for every MSK cluster, if it runs by then.
func mskClusters() []string {
	sharedKafka.mu.Lock()
	defer sharedKafka.mu.Unlock()
	if sharedKafka.server == nil {
		return nil
	}
	return []string{"MILLRACE_KAFKA_BOOTSTRAP=" + sharedKafka.server.Addr}
}

func startHost(ctx context.Context, h *host.Server, addr func() string) (*Server, error) {
	discard := func(ctx context.Context) error { return errors.Join(h.Kill(ctx), os.RemoveAll(h.Dir())) }
	if err := h.Start(ctx); err != nil {
		return nil, errors.Join(err, discard(ctx))
	}
	return &Server{Addr: addr(), lifecycle: h, discard: discard}, nil
}

const runPrefix = "millrace-test-"

// RunDir makes a temporary folder that names this process, and removes those of test
// processes that were killed before they could. The caller removes it.
func RunDir(name string) (string, error) {
	stale, err := filepath.Glob(filepath.Join(os.TempDir(), runPrefix+"*"))
	if err != nil {
		return "", err
	}
	for _, dir := range stale {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), runPrefix), "-")
		n, err := strconv.Atoi(pid)
		if err == nil && n > 1 && errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir) // another test process may be removing it too
		}
	}
	return os.MkdirTemp("", fmt.Sprintf("%s%d-%s-", runPrefix, os.Getpid(), name))
}
