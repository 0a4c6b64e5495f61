package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func newStoreConnect(e env, g *globalOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "connect",
		Short: "Tell a deployed pipeline where its MongoDB is",
		Long: "Put the connection string that " + mongoEnv + " holds into the deployment's secret, for the first time or for a rotation. " +
			"Functions that run take it over when the store refuses the one they have, or within five minutes; no deployment is needed, and no event is lost meanwhile.\n\n" +
			"It is not tried from here: the functions may be in a network of their own. `millrace store init` makes what is missing in a new MongoDB.",
		Example: "  " + mongoEnv + "='mongodb+srv://…' millrace store connect --target aws --env prod",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runStoreConnect(c.Context(), e, g) },
	}
}

func runStoreConnect(ctx context.Context, e env, g *globalOptions) error {
	uri := g.mongoURI(e)
	if uri == "" {
		return usageError("put the connection string into %s", mongoEnv)
	}
	if err := mongostore.CheckURI(uri); err != nil {
		return usageError("%w", err)
	}
	t, err := newTarget(e, g)
	if err != nil {
		return err
	}
	defer t.close()
	deployed, ok := t.(*deployedTarget)
	if !ok {
		return usageError("the pipeline on this machine takes %s or --mongo at its start; --target names a deployed one", mongoEnv)
	}
	f, err := deployed.find(ctx)
	if err != nil {
		return err
	}
	name := spec.SecretName(f.Env, spec.MongoSecret)
	if err := awsio.PutSecret(ctx, secretsmanager.NewFromConfig(f.cfg), name, uri); err != nil {
		return err
	}
	if g.json {
		return writeJSON(e.stdout, map[string]string{"secret": name})
	}
	_, err = fmt.Fprintf(e.stdout, "the secret %s has the connection string; functions that run take it over within five minutes\n", name)
	return err
}
