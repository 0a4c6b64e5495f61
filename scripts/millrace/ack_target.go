package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/oncall"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// pager is a target whose alarms page people.
type pager interface {
	// askOnCall asks the function on-call.
	askOnCall(ctx context.Context, r oncall.Request) (oncall.Answer, error)
}

func (t *deployedTarget) askOnCall(ctx context.Context, r oncall.Request) (oncall.Answer, error) {
	var a oncall.Answer
	f, err := t.find(ctx)
	if err != nil {
		return a, err
	}
	payload, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	function := awsio.Function{Client: lambda.NewFromConfig(f.cfg), Name: spec.ResourceName(f.Env, spec.OnCall), Alias: spec.Alias}
	answer, err := function.Invoke(ctx, payload)
	switch {
	case errors.Is(err, awsio.ErrNoFunction):
		return a, fmt.Errorf("there is no function %s (alias %s) in %s: the deployment is older than on-call; deploy it again", function.Name, function.Alias, f.Region)
	case err != nil:
		return a, err
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return a, fmt.Errorf("the answer of %s: %w", function.Name, err)
	}
	return a, nil
}

// askOnCall asks the on-call of the target that the flags name.
func askOnCall(ctx context.Context, e env, g *globalOptions, r oncall.Request) (oncall.Answer, error) {
	t, err := newTarget(e, g)
	if err != nil {
		return oncall.Answer{}, err
	}
	defer t.close()
	p, ok := t.(pager)
	if !ok {
		return oncall.Answer{}, fmt.Errorf("the pipeline on this machine pages nobody, so there is nothing to acknowledge: `millrace alarms list` shows its alarms, and --target %s or --target %s names a pipeline that pages", targetAWS, targetLocalStack)
	}
	return p.askOnCall(ctx, r)
}
