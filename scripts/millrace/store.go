package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func newStore(e env, g *globalOptions) *cobra.Command {
	return group(&cobra.Command{
		Use:   "store",
		Short: "Prepare and check the event store",
		Long: "Prepare and check the event store: MongoDB where --mongo or " + mongoEnv + " names one, " +
			"else that of the deployed pipeline (--target), else the file in the data directory.",
	}, newStoreConnect(e, g), newStoreInit(e, g), newStoreRebuild(e, g))
}

func newStoreInit(e env, g *globalOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make the collections and indexes in MongoDB that are missing",
		Long: "Make the collections and indexes in MongoDB that are missing, and change none that are there. " +
			"`millrace run` and the functions check at start that all are there.\n\n" +
			"An index on a collection with many events takes minutes, during which the store can be used.",
		Example: "  " + mongoEnv + "=mongodb://localhost/millrace millrace store init\n" +
			"  millrace store init --target aws --env prod",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runStoreInit(c.Context(), e, g) },
	}
}

func runStoreInit(ctx context.Context, e env, g *globalOptions) error {
	t, err := newTarget(e, g)
	if err != nil {
		return err
	}
	defer t.close()
	uri, err := t.mongoURI(ctx)
	if err != nil {
		return err
	}
	if uri == "" {
		return usageError("name the MongoDB with --mongo or %s; the store in a data directory needs no preparation", mongoEnv)
	}
	if err := mongostore.Init(ctx, mongostore.Options{URI: uri}); err != nil {
		return err
	}
	if g.json {
		return writeJSON(e.stdout, map[string]bool{"ready": true})
	}
	_, err = fmt.Fprintln(e.stdout, "the event store is ready")
	return err
}

func newStoreRebuild(e env, g *globalOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "rebuild",
		Short: "Compute counters and aggregates anew from the stored events",
		Long: "Compute the hourly counters and the aggregates anew from the stored events, and say how many differed from what was there. " +
			"They are exact at any moment, so any number but 0 is a bug to report, or follows a change of which types are aggregated.\n\n" +
			"With --json: {\"differed\": N}.",
		Example: "  millrace store rebuild",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runStoreRebuild(c.Context(), e, g) },
	}
}

func runStoreRebuild(ctx context.Context, e env, g *globalOptions) error {
	settings, err := spec.Load(e.environ)
	if err != nil {
		return err
	}
	registry, err := function.Handlers(settings)
	if err != nil {
		return err
	}
	t, err := newTarget(e, g)
	if err != nil {
		return err
	}
	defer t.close()
	events, err := t.events(ctx, registry.Aggregates)
	if err != nil {
		return err
	}
	n, err := events.Rebuild(ctx)
	if err != nil {
		return err
	}
	if g.json {
		return writeJSON(e.stdout, map[string]int{"differed": n})
	}
	_, err = fmt.Fprintf(e.stdout, "rebuilt; entries that differed: %s\n", number(n))
	return err
}
