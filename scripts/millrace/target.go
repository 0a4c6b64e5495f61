package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/redrive"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Kinds of target, as the flag --target names them.
const (
	targetEmbedded   = "embedded"
	targetLocalStack = "localstack"
	targetAWS        = "aws"
)

var targetNames = []string{targetEmbedded, targetLocalStack, targetAWS}

// target is the pipeline that a command works on: what the global flags name. Each
// method opens what its callers need, so that a command touches nothing else; close ends
// what was opened.
type target interface {
	// queues are the queues of the pipeline and what its messages refer to.
	queues(ctx context.Context) (queues, error)
	// events is the event store. aggregate says which types it keeps aggregates of; nil
	// where only a reader is wanted.
	events(ctx context.Context, aggregate func(eventType string) bool) (store.Store, error)
	// mongoURI is the connection string of the event store, "" where it is no MongoDB.
	mongoURI(ctx context.Context) (string, error)
	// door takes events into the pipeline that runs.
	door(ctx context.Context, o *clusterOptions) (door, error)
	// status is the state of the pipeline.
	status(ctx context.Context, o *clusterOptions) (statusJSON, error)
	// topic shows the Kafka topic that ingest reads (function.TopicShow), or makes it
	// where it is missing (function.TopicInit).
	topic(ctx context.Context, do string) (spec.TopicReport, error)
	// idle says what has to be started before what waits in the queues is handled; ""
	// where it is.
	idle() string
	close()
}

// queues are the queues of a pipeline by Millrace's names for them.
type queues struct {
	broker interface {
		redrive.Queues
		ops.Browser
		ops.Depther
	}
	claims pipeline.Claims
}

// envSetting is the setting that says which environment is meant where --env does not.
const envSetting = spec.EnvPrefix + "ENV"

// newTarget finds out what the global flags name; nothing is opened yet.
func newTarget(e env, g *globalOptions) (target, error) {
	if err := oneOf("--target", g.target, targetNames); err != nil {
		return nil, err
	}
	if g.target == targetEmbedded {
		if g.env != "" {
			return nil, usageError("--env names a deployed pipeline: give --target %s or --target %s too", targetAWS, targetLocalStack)
		}
		return &embeddedTarget{env: e, dir: g.data, mongo: g.mongoURI(e)}, nil
	}
	settings, err := spec.Load(e.environ)
	if err != nil {
		return nil, err
	}
	t := &deployedTarget{env: e, kind: g.target, name: settings.Env, mongo: g.mongoURI(e)}
	if g.env != "" {
		if settings, err = spec.Load(append(slices.Clip(e.environ), envSetting+"="+g.env)); err != nil {
			return nil, usageError("--env: %w", err)
		}
		t.name = settings.Env
	}
	return t, nil
}

// embeddedOnly is a command that has nothing to do with a deployed pipeline.
func embeddedOnly(g *globalOptions, c *cobra.Command) *cobra.Command {
	run := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if g.target != targetEmbedded || g.env != "" {
			return usageError("`%s` is for the pipeline on this machine: it takes neither --target nor --env", c.CommandPath())
		}
		return run(c, args)
	}
	return c
}

// deadLetters reads the dead-letter queues of a target.
func deadLetters(ctx context.Context, e env, t target) (*ops.DeadLetters, error) {
	settings, err := spec.Load(e.environ)
	if err != nil {
		return nil, err
	}
	q, err := t.queues(ctx)
	if err != nil {
		return nil, err
	}
	return &ops.DeadLetters{Queues: q.broker, Claims: q.claims, MaxEvent: settings.MaxEventBytes}, nil
}

// redriver sends the dead letters of a target back.
func redriver(ctx context.Context, e env, t target, now func() time.Time) (*redrive.Engine, error) {
	settings, err := spec.Load(e.environ)
	if err != nil {
		return nil, err
	}
	q, err := t.queues(ctx)
	if err != nil {
		return nil, err
	}
	return &redrive.Engine{Queues: q.broker, MaxRedrives: settings.MaxRedrives, Now: now}, nil
}
