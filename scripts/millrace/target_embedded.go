package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/metrics"
	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// embeddedTarget is the pipeline in a data directory.
type embeddedTarget struct {
	env   env
	dir   string
	mongo string // connection string of the event store; "": it is in dir

	// Opened when first needed.
	data    *embedded.Data
	metrics *metrics.Reader
	client  *kgo.Client
}

func (t *embeddedTarget) close() {
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
func (t *embeddedTarget) running() (embedded.Running, error) {
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

func (t *embeddedTarget) idle() string {
	if _, err := t.running(); errors.Is(err, embedded.ErrNotRunning) {
		return fmt.Sprintf("nothing is running in %s: they wait in their queues for `millrace run`", t.dir)
	}
	return ""
}

func (t *embeddedTarget) open(ctx context.Context, aggregate func(string) bool) (*embedded.Data, error) {
	if t.data != nil {
		return t.data, nil
	}
	d, err := embedded.OpenData(ctx, embedded.DataOptions{Dir: t.dir, Mongo: t.mongo, Aggregate: aggregate})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no pipeline has run in %s: start `millrace run`, or name its directory with --data", t.dir)
	}
	t.data = d
	return d, err
}

func (t *embeddedTarget) events(ctx context.Context, aggregate func(string) bool) (store.Store, error) {
	d, err := t.open(ctx, aggregate)
	if err != nil {
		return nil, err
	}
	return d.Events, nil
}

func (t *embeddedTarget) mongoURI(context.Context) (string, error) { return t.mongo, nil }

func (t *embeddedTarget) queues(ctx context.Context) (queues, error) {
	d, err := t.open(ctx, nil)
	if err != nil {
		return queues{}, err
	}
	return queues{d.Queues, d.Claims}, nil
}

func (t *embeddedTarget) door(ctx context.Context, o *clusterOptions) (door, error) {
	r, err := t.running()
	if err != nil {
		return door{}, err
	}
	c, err := o.configOf(t.env, r.Kafka)
	if err != nil {
		return door{}, err
	}
	return newKafkaDoor(ctx, c, r.Topic)
}
