package stack

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// every invokes the function on a schedule, by the alias.
func (p *Pipeline) every(scope constructs.Construct, name, description string, interval time.Duration, f function) {
	awsevents.NewRule(scope, jsii.String("Schedule"), &awsevents.RuleProps{
		RuleName:    jsii.String(p.o.name(name)),
		Description: &description,
		Schedule:    awsevents.Schedule_Rate(seconds(interval)),
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewLambdaFunction(f.Alias, &awseventstargets.LambdaFunctionProps{
			// The next tick does the same, and a value that comes late says nothing of its
			// minute: one that could not be delivered is not kept.
			RetryAttempts: jsii.Number(0), MaxEventAge: seconds(interval),
		})},
	})
}
