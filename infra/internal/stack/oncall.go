package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// newOnCall makes the function on-call. The topic of the alarms and a schedule invoke it,
// and `millrace ack` does directly, by the alias. It is in no VPC, whatever the deployment
// has: a page must not depend on a network.
func newOnCall(p *Pipeline, t topics, pages constructs.Construct) function {
	scope := constructs.NewConstruct(p.Stack, jsii.String(spec.OnCall))
	// What SNS could not hand over and what on-call failed on, every attempt of Lambda's.
	dead := p.queues(scope).dead("DeadLetters", spec.Stage{Name: spec.OnCall}.DLQ(), "")
	vars := map[string]*string{spec.ClaimsVar: p.data.Claims.BucketName()}
	var arns []*string
	for _, name := range spec.PageTopics() {
		vars[spec.PageTopicVar(name)] = t.arn(name)
		arns = append(arns, t.arn(name))
	}
	f := newFunction(scope, p, functionProps{
		name: spec.OnCall, description: "Millrace: makes pages of alarms, and escalates them",
		timeout: spec.OnCallTimeout, memory: spec.OnCallMemory, environment: vars, outside: true,
		statements: append([]awsiam.PolicyStatement{
			mayPublish(arns...), mayDescribeAlarms(), maySend("GiveUp", dead.QueueArn()),
		}, mayKeepPages(p.data.Claims.BucketArn())...),
	})
	p.alarms.ready = awslambda.NewCfnEventInvokeConfig(scope, jsii.String("Retries"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName: f.Lambda.FunctionName(), Qualifier: jsii.String(spec.Alias),
		DestinationConfig: &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{Destination: dead.QueueArn()},
		},
	})
	// The subscription is below the alias.
	p.alarms.ready.Node().AddDependency(f.Alias, pages)
	t[spec.AlarmsTopic].AddSubscription(awssnssubscriptions.NewLambdaSubscription(f.Alias, &awssnssubscriptions.LambdaSubscriptionProps{
		DeadLetterQueue: dead,
	}))
	p.every(scope, spec.OnCall, "Escalates pages that nobody has acknowledged", spec.OnCallEvery, f)
	p.roll(scope, spec.OnCall, f)
	return f
}
