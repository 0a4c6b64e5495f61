package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	samples "github.com/millrace-pipeline/millrace/events-samples"
	"github.com/millrace-pipeline/millrace/shared/schema"
)

func newSchema(e env, g *globalOptions) *cobra.Command {
	return group(&cobra.Command{
		Use:   "schema",
		Short: "List and check the schemas of event types",
		Long:  "List and check the schemas of event types: <type>/schema-v<N>.json, JSON Schema 2020-12. They are built into this program; --dir names a directory instead.",
	}, newSchemaList(e, g), newSchemaCheck(e, g))
}

func schemaFlags(c *cobra.Command, dir *string) *cobra.Command {
	c.Flags().StringVar(dir, "dir", "", "`directory` with the schemas, such as events-samples; \"\" for those built in")
	return c
}

func loadSchemas(dir string) (*schema.Registry, error) {
	var files fs.FS = samples.Schemas
	if dir != "" {
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("--dir: %w", err)
		}
		files = os.DirFS(dir)
	}
	return schema.Load(files, false)
}

func newSchemaList(e env, g *globalOptions) *cobra.Command {
	var dir string
	return schemaFlags(&cobra.Command{
		Use:     "list",
		Short:   "List the schemas",
		Long:    "List the schemas: type, version, and the $id by which an event's dataschema names it.\n\nWith --json: [{\"type\", \"version\", \"id\"}].",
		Example: "  millrace schema list",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runSchemaList(e, g, dir) },
	}, &dir)
}

func runSchemaList(e env, g *globalOptions, dir string) error {
	r, err := loadSchemas(dir)
	if err != nil {
		return err
	}
	type row struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
		ID      string `json:"id"`
	}
	rows := []row{}
	t := newTable("TYPE", ">VERSION", "ID")
	for _, s := range r.Schemas() {
		rows = append(rows, row{s.Type, s.Version, s.ID})
		t.add(s.Type, number(s.Version), s.ID)
	}
	if g.json {
		return writeJSON(e.stdout, rows)
	}
	return t.write(e.stdout)
}

func newSchemaCheck(e env, g *globalOptions) *cobra.Command {
	var dir string
	return schemaFlags(&cobra.Command{
		Use:   "check",
		Short: "Check that each version of a schema still accepts what the one before did",
		Long: "Check that each version of a schema accepts everything that the version before did (backward compatibility): " +
			"events of the older version are in flight, in dead-letter queues and in the store when the newer one is deployed. " +
			"A change that cannot be shown to be harmless counts as a problem.\n\n" +
			"With --json: [{\"type\", \"version\", \"path\", \"what\"}]. The exit code is 1 if there is a problem.",
		Example: "  millrace schema check --dir events-samples",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runSchemaCheck(e, g, dir) },
	}, &dir)
}

func runSchemaCheck(e env, g *globalOptions, dir string) error {
	r, err := loadSchemas(dir)
	if err != nil {
		return err
	}
	problems := append([]schema.Problem{}, r.Compatible()...)
	if g.json {
		err = writeJSON(e.stdout, problems)
	} else {
		err = writeProblems(e, len(r.Schemas()), problems)
	}
	if err == nil && len(problems) > 0 {
		err = &exitError{code: exitFailure}
	}
	return err
}

func writeProblems(e env, schemas int, problems []schema.Problem) error {
	var errs []error
	for _, p := range problems {
		_, err := fmt.Fprintln(e.stdout, p)
		errs = append(errs, err)
	}
	if len(problems) == 0 {
		_, err := fmt.Fprintf(e.stdout, "%s, all compatible\n", count(schemas, "schema"))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
