package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// newRedrive makes the function dlq-redrive and its schedule. It may be invoked directly
// as well, by the alias.
func newRedrive(p *Pipeline) function {
	scope := constructs.NewConstruct(p.Stack, jsii.String(spec.Redrive))
	vars := make(map[string]*string)
	var arns, homes []*string // homes are those that it sends to
	for _, name := range spec.RedriveQueues() {
		q := p.queue(name)
		vars[spec.QueueURLVar(name)] = q.QueueUrl()
		arns = append(arns, q.QueueArn())
		if _, isStage := spec.StageByName(name); isStage || name == spec.Quarantine {
			homes = append(homes, q.QueueArn())
		}
	}
	f := newFunction(scope, p, functionProps{
		name: spec.Redrive, description: "Millrace: sends dead letters back to their stages",
		timeout: spec.RedriveTimeout, memory: spec.RedriveMemory, environment: vars,
		statements: []awsiam.PolicyStatement{mayConsume(arns...), maySend("Redrive", homes...)},
	})
	p.every(scope, spec.Redrive, "Redrives what failed for a reason that passes by itself", spec.RedriveEvery, f)
	p.roll(scope, spec.Redrive, f)
	return f
}

// queue by Millrace's name for it.
func (p *Pipeline) queue(name string) awssqs.Queue {
	for _, s := range p.Stages {
		switch name {
		case s.Spec.Queue():
			return s.Queue
		case s.Spec.DLQ():
			return s.DLQ
		case s.Spec.Undelivered():
			return s.Undelivered
		}
	}
	return p.Quarantine
}
