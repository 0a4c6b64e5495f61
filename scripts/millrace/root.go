package main

import (
	"context"
	"errors"
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

// globalOptions are the flags of every command.
type globalOptions struct {
	data string
	json bool
}

func newRoot(e env) *cobra.Command {
	g := new(globalOptions)
	root := group(&cobra.Command{
		Use:   "millrace",
		Short: "A serverless event pipeline, and the runbook that operates it",
		Long: "Millrace takes CloudEvents from Kafka, SQS and HTTP, runs your handlers on them, and stores each exactly once.\n\n" +
			"`millrace run` runs the whole pipeline on this machine; every other command works on the pipeline that --data names.",
		Example: "  millrace run\n" +
			"  millrace send events.ndjson.gz\n" +
			"  millrace status\n" +
			"  millrace dlq list",
	},
		newRun(e, g), newSend(e, g), newEvents(e, g), newDLQ(e, g), newStatus(e, g), newVersion(e, g))
	root.PersistentFlags().StringVar(&g.data, "data", ".millrace", "data `directory` of the pipeline on this machine")
	root.PersistentFlags().BoolVar(&g.json, "json", false, "write JSON, for programs")
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetFlagErrorFunc(flagError)
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
		return usageError("there is no command `%s %s`%s; see `%[1]s --help`", c.CommandPath(), args[0], didYouMean(args[0], names))
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

// flagError turns what pflag says into a usage error, with the flag that was probably meant.
func flagError(c *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return usageError("%w; see `%s --help`", err, c.CommandPath())
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	name, _, _ := strings.Cut("--"+unknown.GetSpecifiedName(), "=")
	return usageError("there is no flag %s%s; see `%s --help`", name, didYouMean(name, names), c.CommandPath())
}
