package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodedeploy"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// rolloutErrors is how many failed invocations in a minute roll a new version back.
// Events that fail do not count: they fail in answers, not invocations.
const rolloutErrors = 3

// rolloutApplication is CodeDeploy's application of all functions.
const rolloutApplication = "functions"

// rollout moves aliases to new versions by CodeDeploy.
type rollout struct {
	app    awscodedeploy.LambdaApplication
	config awscodedeploy.ILambdaDeploymentConfig
}

func newRollout(s awscdk.Stack, o *Options) *rollout {
	return &rollout{
		app:    awscodedeploy.NewLambdaApplication(s, jsii.String("Rollout"), &awscodedeploy.LambdaApplicationProps{ApplicationName: jsii.String(o.name(rolloutApplication))}),
		config: deploymentConfig(o.Deployment.Rollout),
	}
}

func deploymentConfig(strategy string) awscodedeploy.ILambdaDeploymentConfig {
	switch strategy {
	case spec.RolloutLinear:
		return awscodedeploy.LambdaDeploymentConfig_LINEAR_10PERCENT_EVERY_1MINUTE()
	case spec.RolloutAtOnce:
		return awscodedeploy.LambdaDeploymentConfig_ALL_AT_ONCE()
	}
	return awscodedeploy.LambdaDeploymentConfig_CANARY_10PERCENT_5MINUTES()
}

// roll makes CodeDeploy move the function's alias, where there is CodeDeploy.
func (p *Pipeline) roll(scope constructs.Construct, name string, f function) {
	if p.rolls != nil {
		p.rolls.add(scope, p.o.name(name), f, p.alarms.rollback(name))
	}
}

// add makes the deployment group of one function, with the alarms that roll it back: one
// of its own, which is fast, and those of the stage.
func (r *rollout) add(scope constructs.Construct, name string, f function, stage []awscloudwatch.CfnAlarm) {
	errors := f.Alias.MetricErrors(&awscloudwatch.MetricOptions{
		Period: awscdk.Duration_Minutes(jsii.Number(1)), Statistic: jsii.String("Sum"),
	}).CreateAlarm(scope, jsii.String("RolloutErrors"), &awscloudwatch.CreateAlarmOptions{
		AlarmName:          jsii.String(name + "-rollout-errors"),
		AlarmDescription:   jsii.String("Invocations of " + name + " fail: a deployment that is under way is rolled back. Pages nobody."),
		Threshold:          jsii.Number(rolloutErrors),
		EvaluationPeriods:  jsii.Number(1),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING, // no invocation, no error
	})
	all := []interfacesawscloudwatch.IAlarmRef{errors}
	for _, a := range stage {
		all = append(all, a)
	}
	awscodedeploy.NewLambdaDeploymentGroup(scope, jsii.String("Rollout"), &awscodedeploy.LambdaDeploymentGroupProps{
		Application:         r.app,
		Alias:               f.Alias,
		DeploymentGroupName: &name,
		DeploymentConfig:    r.config,
		Alarms:              &all,
		AutoRollback:        &awscodedeploy.AutoRollbackConfig{DeploymentInAlarm: jsii.Bool(true), FailedDeployment: jsii.Bool(true)},
	})
}
