package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/metrics"
	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/redrive"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// target is the pipeline that a command works on: what the global flags name. Each
// method opens what its callers need, so that a command touches nothing else.
//
// There is one kind, the embedded pipeline in a data directory. Another kind (LocalStack,
// AWS) answers the same methods from its own adapters.
type target struct {
	dir   string
	mongo string // connection string of the event store; "": it is in dir
	// aggregate are the types that the store keeps aggregates of; only a rebuild needs it.
	aggregate func(eventType string) bool
	environ   []string

	// Opened when first needed.
	data    *embedded.Data
	metrics *metrics.Reader
	client  *kgo.Client
}

func newTarget(e env, g *globalOptions) *target {
	return &target{dir: g.data, mongo: g.mongoURI(e), environ: e.environ}
}

func (t *target) close() {
	// They were only read: nothing can be lost.
	if t.data != nil {
		_ = t.data.Close()
	}
	if t.metrics != nil {
		_ = t.metrics.Close()
	}
	if t.client != nil {
		t.client.Close()
	}
}

// running is the process that runs in the directory.
func (t *target) running() (embedded.Running, error) {
	r, err := embedded.Find(t.dir)
	if errors.Is(err, embedded.ErrNotRunning) {
		err = &notRunning{t.dir, err}
	}
	return r, err
}

// notRunning says what to do when a command needs a running process.
type notRunning struct {
	dir   string
	cause error
}

func (e *notRunning) Error() string {
	return fmt.Sprintf("nothing is running in %s: start `millrace run`, or name --kafka or --http", e.dir)
}

func (e *notRunning) Unwrap() error { return e.cause }

func (t *target) open(ctx context.Context) (*embedded.Data, error) {
	if t.data != nil {
		return t.data, nil
	}
	d, err := embedded.OpenData(ctx, embedded.DataOptions{Dir: t.dir, Mongo: t.mongo, Aggregate: t.aggregate})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no pipeline has run in %s: start `millrace run`, or name its directory with --data", t.dir)
	}
	t.data = d
	return d, err
}

// events is the event store.
func (t *target) events(ctx context.Context) (store.Reader, error) {
	d, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	return d.Events, nil
}

// deadLetters reads the dead-letter queues.
func (t *target) deadLetters(ctx context.Context) (*ops.DeadLetters, error) {
	settings, err := spec.Load(t.environ)
	if err != nil {
		return nil, err
	}
	d, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	return &ops.DeadLetters{Queues: d.Queues, Claims: d.Claims, MaxEvent: settings.MaxEventBytes}, nil
}

// redriver sends dead letters back.
func (t *target) redriver(ctx context.Context, now func() time.Time) (*redrive.Engine, error) {
	settings, err := spec.Load(t.environ)
	if err != nil {
		return nil, err
	}
	d, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	return &redrive.Engine{Queues: d.Queues, MaxRedrives: settings.MaxRedrives, Now: now}, nil
}
