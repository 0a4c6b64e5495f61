package main

import (
	"context"
	"fmt"

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
	err := t.ask(ctx, spec.OnCall, r, &a)
	return a, err
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
