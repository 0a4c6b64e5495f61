package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// partialFailures makes Lambda read which items of a batch failed. Without it an answer
// that lists failures acknowledges the batch.
const partialFailures = "ReportBatchItemFailures"

// addQueueSource makes Lambda poll the stage's queue and invoke the alias.
func addQueueSource(scope constructs.Construct, s *Stage, d *spec.Deployment) {
	p := &awslambda.CfnEventSourceMappingProps{
		FunctionName:                   s.Alias.FunctionArn(),
		EventSourceArn:                 s.Queue.QueueArn(),
		BatchSize:                      jsii.Number(s.Spec.BatchSize),
		MaximumBatchingWindowInSeconds: seconds(s.Spec.BatchWindow).ToSeconds(nil),
		FunctionResponseTypes:          jsii.Strings(partialFailures),
	}
	if d.MaxConcurrency > 0 {
		p.ScalingConfig = &awslambda.CfnEventSourceMapping_ScalingConfigProperty{MaximumConcurrency: jsii.Number(d.MaxConcurrency)}
	}
	if d.PollersMin > 0 {
		p.ProvisionedPollerConfig = pollers(d.PollersMin, d.PollersMax)
	}
	awslambda.NewCfnEventSourceMapping(scope, jsii.String("QueueSource"), p)
}

func pollers(least, most int) *awslambda.CfnEventSourceMapping_ProvisionedPollerConfigProperty {
	return &awslambda.CfnEventSourceMapping_ProvisionedPollerConfigProperty{
		MinimumPollers: jsii.Number(least), MaximumPollers: jsii.Number(most),
	}
}
