package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/file"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/metrics"
	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/queue"
	eventstore "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/store"
	queues "github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Data is an open data directory.
type Data struct {
	Dir    string
	Queues *queue.Broker
	Events store.Store
	Claims *file.Claims
}

// DataOptions of OpenData.
type DataOptions struct {
	Dir       string
	Create    bool                        // make what is missing; else a directory that no pipeline has run in is fs.ErrNotExist
	Mongo     string                      // connection string of the event store; "": it is in the directory
	Aggregate func(eventType string) bool // the types that ask for aggregates; nil: none
}

// OpenData opens the files of a data directory and its event store.
func OpenData(ctx context.Context, o DataOptions) (_ *Data, err error) {
	if o.Create {
		if err := os.MkdirAll(o.Dir, 0o755); err != nil {
			return nil, fmt.Errorf("data directory: %w", err)
		}
	}
	d := &Data{Dir: o.Dir}
	defer func() {
		if err != nil {
			_ = d.Close()
		}
	}()
	asPart(PartQueues, func() {
		d.Queues, err = queue.Open(ctx, filepath.Join(o.Dir, queuesFile), queue.Options{MustExist: !o.Create})
	})
	if err != nil {
		return nil, err
	}
	asPart(PartStore, func() { d.Events, err = openEvents(ctx, o) })
	if err != nil {
		return nil, err
	}
	if d.Claims, err = file.OpenClaims(filepath.Join(o.Dir, claimsDir)); err != nil {
		return nil, err
	}
	return d, nil
}

func openEvents(ctx context.Context, o DataOptions) (store.Store, error) {
	if o.Mongo != "" {
		s, err := mongostore.Open(ctx, mongostore.Options{URI: o.Mongo, Aggregate: o.Aggregate})
		if err != nil { // not a nil *Store in the interface
			return nil, err
		}
		return s, nil
	}
	s, err := eventstore.Open(ctx, filepath.Join(o.Dir, eventsFile), eventstore.Options{MustExist: !o.Create, Aggregate: o.Aggregate})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the files.
func (d *Data) Close() error {
	var errs []error
	if d.Queues != nil {
		errs = append(errs, d.Queues.Close())
	}
	if d.Events != nil {
		errs = append(errs, d.Events.Close())
	}
	return errors.Join(errs...)
}

// queueNames are the queues of the pipeline in the order of the stages, dead-letter
// queues after their own.
func queueNames() []string {
	var names []string
	for _, s := range spec.Stages {
		names = append(names, s.Queue(), s.DLQ())
	}
	return append(names, spec.Redrive, spec.Redrive+"-dlq", spec.Quarantine)
}

// redriveReceives is how often a redrive request is tried.
const redriveReceives = 3

// createQueues makes the queues as infrastructure makes them on AWS.
func createQueues(ctx context.Context, b queues.Broker) error {
	dead := queues.Config{Retention: spec.DLQRetention}
	configs := map[string]queues.Config{
		spec.Quarantine: dead, spec.Redrive + "-dlq": dead,
		spec.Redrive: {DLQ: spec.Redrive + "-dlq", MaxReceives: redriveReceives, Visibility: 6 * spec.RedriveTimeout},
	}
	for _, s := range spec.Stages {
		configs[s.DLQ()] = dead
		configs[s.Queue()] = queues.Config{Visibility: s.Visibility(), DLQ: s.DLQ(), MaxReceives: s.MaxReceives}
	}
	names := queueNames()
	for i := len(names) - 1; i >= 0; i-- { // a queue's DLQ exists before it
		if err := b.Create(ctx, names[i], configs[names[i]]); err != nil {
			return fmt.Errorf("create queue %s: %w", names[i], err)
		}
	}
	return nil
}

// claimsKeep is how long a claim-check body is kept: longer than a message can live in a
// queue, its dead-letter queue and the quarantine after one another.
const claimsKeep = 45 * 24 * time.Hour

// OpenMetrics opens what the pipeline of a data directory has recorded of itself;
// fs.ErrNotExist when it has recorded nothing yet.
func OpenMetrics(ctx context.Context, dir string) (*metrics.Reader, error) {
	return metrics.OpenReader(ctx, filepath.Join(dir, metricsFile))
}
