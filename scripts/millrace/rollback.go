package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

type rollbackOptions struct {
	function string
	to       int
	execute  bool
}

func newRollback(e env, g *globalOptions) *cobra.Command {
	var o rollbackOptions
	c := &cobra.Command{
		Use:   "rollback",
		Short: "Put the functions of a deployed pipeline back to the version before",
		Long: "Put the functions of a deployed pipeline back to the version before the live one. It takes effect with the next invocation; no event is lost. " +
			"While a deployment is under way, it is stopped: the version that was live takes everything again.\n\n" +
			"Without --execute it only says what it would do. It moves code back, not queues, alarms or settings of the stacks: " +
			"those go back by deploying the commit before. The next deployment of changed code moves on from here; one without a change leaves the rollback as it is.\n\n" +
			"With --json: {\"executed\", \"functions\": [{\"function\", \"live\", \"canary\", \"to\"}]}; \"to\" is 0 where there is no version to go back to.",
		Example: "  millrace rollback --target aws --env prod\n" +
			"  millrace rollback --target aws --env prod --execute\n" +
			"  millrace rollback --target aws --env prod --function process --to 41 --execute",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runRollback(c.Context(), e, g, o) },
	}
	c.Flags().StringVar(&o.function, "function", "", "only this `function`: "+strings.Join(spec.Functions(), ", "))
	c.Flags().IntVar(&o.to, "to", 0, "to this `version`, with --function")
	c.Flags().BoolVar(&o.execute, "execute", false, "do it")
	complete(c, "function", spec.Functions())
	return c
}

func (o *rollbackOptions) check() error {
	if o.function != "" {
		if err := oneOf("--function", o.function, spec.Functions()); err != nil {
			return err
		}
	}
	if o.to < 0 || o.to > 0 && o.function == "" {
		return usageError("--to is a version of one function: name it with --function")
	}
	return nil
}

// rollbackStep is what becomes of one function.
type rollbackStep struct {
	Function string `json:"function"`
	Live     int    `json:"live"`
	Canary   int    `json:"canary,omitempty"`
	To       int    `json:"to"` // 0: there is no version to go back to

	alias awsio.Function
}

func runRollback(ctx context.Context, e env, g *globalOptions, o rollbackOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	t, err := newTarget(e, g)
	if err != nil {
		return err
	}
	defer t.close()
	deployed, ok := t.(*deployedTarget)
	if !ok {
		return usageError("the pipeline on this machine has no versions: start the `millrace` of the version before, or name a deployed pipeline with --target")
	}
	steps, err := deployed.planRollback(ctx, &o)
	if err != nil {
		return err
	}
	var failed error
	if o.execute {
		failed = rollBack(ctx, steps)
	}
	if g.json {
		err = writeJSON(e.stdout, struct {
			Executed  bool           `json:"executed"`
			Functions []rollbackStep `json:"functions"`
		}{o.execute, steps})
	} else {
		err = writeRollback(e, o.execute, steps)
	}
	return errors.Join(failed, err)
}

func (t *deployedTarget) planRollback(ctx context.Context, o *rollbackOptions) ([]rollbackStep, error) {
	f, err := t.find(ctx)
	if err != nil {
		return nil, err
	}
	names := spec.Functions()
	if o.function != "" {
		names = []string{o.function}
	}
	client := lambda.NewFromConfig(f.cfg)
	var steps []rollbackStep
	for _, name := range names {
		alias := awsio.Function{Client: client, Name: spec.ResourceName(f.Env, name), Alias: spec.Alias}
		v, err := alias.Versions(ctx)
		if errors.Is(err, awsio.ErrNoFunction) && o.function == "" { // a deployment older than the function
			continue
		}
		if err != nil {
			return nil, err
		}
		s := rollbackStep{Function: name, Live: v.Live, Canary: v.Canary, To: o.to, alias: alias}
		switch {
		case o.to == 0:
			s.To, _ = v.Before()
		case !slices.Contains(v.Published, o.to):
			return nil, usageError("%s has no version %d; there is %s", name, o.to, versionList(v.Published))
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// rollBack goes on after a failure: half a rollback is better than none.
func rollBack(ctx context.Context, steps []rollbackStep) error {
	var errs []error
	for i := range steps {
		if s := &steps[i]; s.To != 0 {
			if err := s.alias.SetVersion(ctx, s.To); err != nil {
				errs = append(errs, fmt.Errorf("%s stays at version %d: %w", s.Function, s.Live, err))
				s.To = s.Live
			}
		}
	}
	return errors.Join(errs...)
}

func writeRollback(e env, executed bool, steps []rollbackStep) error {
	t := newTable("FUNCTION", ">LIVE", ">TO", "")
	moves := 0
	for _, s := range steps {
		to, remark := strconv.Itoa(s.To), ""
		switch {
		case s.To == 0:
			to, remark = "-", "there is no version before"
		case s.Canary != 0:
			remark = fmt.Sprintf("stops the deployment of version %d", s.Canary)
		}
		if s.To != 0 {
			moves++
		}
		t.add(s.Function, strconv.Itoa(s.Live), to, remark)
	}
	if err := t.write(e.stdout); err != nil {
		return err
	}
	if !executed && moves > 0 {
		fmt.Fprintln(e.stdout, "\nNothing was done yet: add --execute to do it.")
	}
	return nil
}

func versionList(versions []int) string {
	text := make([]string, len(versions))
	for i, v := range versions {
		text[i] = strconv.Itoa(v)
	}
	return strings.Join(text, ", ")
}
