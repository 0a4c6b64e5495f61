package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// execute runs the command line and returns the exit code.
func execute(ctx context.Context, e env, args []string) int {
	root := newRoot(e)
	root.SetArgs(args)
	return finish(e, root.ExecuteContext(ctx))
}

// dataDefault is the data directory where --data does not say.
const dataDefault = ".millrace"

// globalOptions are the flags of every command.
type globalOptions struct {
	data   string
	mongo  string
	target string
	env    string
	json   bool
}

// mongoEnv is where the connection string is taken from when the flag does not say: a
// flag with a password in it shows in the list of processes.
const mongoEnv = "MONGODB_URI"

// mongoURI is the connection string of the event store, "" when it is in the data directory.
func (g *globalOptions) mongoURI(e env) string {
	if g.mongo != "" {
		return g.mongo
	}
	for _, kv := range e.environ {
		if uri, ok := strings.CutPrefix(kv, mongoEnv+"="); ok {
			return uri
		}
	}
	return ""
}

func newRoot(e env) *cobra.Command {
	g := new(globalOptions)
	root := group(&cobra.Command{
		Use:   "millrace",
		Short: "A serverless event pipeline, and the runbook that operates it",
		Long: "Millrace takes CloudEvents from Kafka, SQS and HTTP, runs your handlers on them, and stores each exactly once.\n\n" +
			"`millrace run` runs the whole pipeline on this machine; every other command works on the pipeline that --data names, " +
			"or with --target on one that is deployed: on AWS with the credentials and the region of the environment, as every AWS tool finds them " +
			"(AWS_PROFILE, AWS_REGION), on LocalStack at AWS_ENDPOINT_URL.",
		Example: "  millrace run\n" +
			"  millrace send events.ndjson.gz\n" +
			"  millrace status\n" +
			"  millrace dlq list\n" +
			"  millrace status --target aws --env prod",
	},
		embeddedOnly(g, newRun(e, g)), newSend(e, g), newEvents(e, g), newDLQ(e, g), newStatus(e, g), newAlarms(e, g), newSLO(e, g), newAck(e, g), newPages(e, g), newRollback(e, g), newCost(e, g), newStore(e, g), newTopic(e, g), newSchema(e, g), embeddedOnly(g, newBench(e, g)), newVersion(e, g))
	root.PersistentFlags().StringVar(&g.data, "data", dataDefault, "data `directory` of the pipeline on this machine")
	root.PersistentFlags().StringVar(&g.target, "target", targetEmbedded, "`where` the pipeline is: "+strings.Join(targetNames, ", "))
	root.PersistentFlags().StringVar(&g.env, "env", "", "`name` of the deployed environment, with --target; \"\" for the setting "+envSetting)
	root.PersistentFlags().StringVar(&g.mongo, "mongo", "", "connection `string` of the event store in MongoDB, instead of the pipeline's own (with a password, better in the environment: "+mongoEnv+")")
	root.PersistentFlags().BoolVar(&g.json, "json", false, "write JSON, for programs")
	complete(root, "target", targetNames)
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { writeHelp(e.stdout, c) })
	return root
}

// group makes c a command that only has sub-commands.
func group(c *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	c.DisableFlagsInUseLine = true
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		var names []string
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name())
			}
		}
		return usageError("there is no command `%s %s`%s", c.CommandPath(), args[0], hint(c, args[0], names))
	}
	c.AddCommand(subs...)
	return c
}

// oneArg demands exactly one argument and says what it is.
func oneArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return usageError("`%s` needs %s; see `%[1]s --help`", c.CommandPath(), what)
		case len(args) > 1:
			return usageError("`%s` takes one argument, not %d: %q is too much", c.CommandPath(), len(args), args[1])
		}
		return nil
	}
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError("`%s` takes no arguments: %q is too much; see `%[1]s --help`", c.CommandPath(), args[0])
	}
	return nil
}

// flagError says what is wrong with a flag, and which one was probably meant.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &invalid):
		return usageError("--%s %q is no %s", invalid.GetFlag().Name, invalid.GetValue(), valueKind(invalid.GetFlag()))
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		name := "--" + unknown.GetSpecifiedName()
		return usageError("there is no flag %s%s", name, hint(c, name, names))
	default:
		return usageError("%w; see `%s --help`", err, c.CommandPath())
	}
}

// valueKind is what a flag takes.
func valueKind(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int":
		return "whole number"
	case "float64":
		return "number"
	case "duration":
		return "duration such as 500ms, 2s or 5m"
	default:
		return f.Value.Type()
	}
}

// hint is the candidate that was probably meant, or where all are.
func hint(c *cobra.Command, word string, candidates []string) string {
	if s := didYouMean(word, candidates); s != "" {
		return s
	}
	return fmt.Sprintf("; see `%s --help`", c.CommandPath())
}
