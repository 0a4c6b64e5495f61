package stack

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// deployingAlarm is in ALARM while a deployment runs and spec.MuteAfter later. It pages
// nobody: pagers heed it.
const deployingAlarm = "deploying"

// addDeploying makes that alarm. A deployment shows itself by the changes of state of the
// stack and of CodeDeploy's deployments, which a rule matches; EventBridge counts what a
// rule matches (Amazon EventBridge User Guide, "Monitoring Amazon EventBridge",
// TriggeredRules). No two of them are further apart than spec.MuteAfter: the slowest
// rollout takes nine minutes. LocalStack emits no such events and mutes nothing.
func (a *alarms) addDeploying() {
	const period = time.Minute
	name := a.o.name(deployingAlarm)
	a.all[name] = awscloudwatch.NewCfnAlarm(a.scope, jsii.String(deployingAlarm), &awscloudwatch.CfnAlarmProps{
		AlarmName: &name,
		AlarmDescription: jsii.String(fmt.Sprintf("A deployment runs, or ended within %d minutes. Alarms that a deployment may set off wait for its end; it pages nobody.",
			spec.MuteAfter/time.Minute)),
		// Filled, since CloudWatch looks further back than the periods where data are missing,
		// and takes what it finds there into account (Amazon CloudWatch User Guide,
		// "Configuring how CloudWatch alarms treat missing data").
		Metrics: []*awscloudwatch.CfnAlarm_MetricDataQueryProperty{
			{Id: jsii.String("value"), Expression: jsii.String("FILL(m1, 0)"), Label: jsii.String("changes of state"), ReturnData: jsii.Bool(true)},
			{Id: jsii.String("m1"), ReturnData: jsii.Bool(false), MetricStat: &awscloudwatch.CfnAlarm_MetricStatProperty{
				Metric: &awscloudwatch.CfnAlarm_MetricProperty{
					Namespace: jsii.String("AWS/Events"), MetricName: jsii.String("TriggeredRules"),
					Dimensions: []*awscloudwatch.CfnAlarm_DimensionProperty{{Name: jsii.String("RuleName"), Value: &name}},
				},
				Period: jsii.Number(period.Seconds()), Stat: jsii.String(string(spec.Sum)),
			}},
		},
		EvaluationPeriods:  jsii.Number(spec.MuteAfter / period),
		DatapointsToAlarm:  jsii.Number(1),
		Threshold:          jsii.Number(0),
		ComparisonOperator: jsii.String(string(spec.Above)),
		TreatMissingData:   jsii.String(string(spec.MissingIsGood)), // no event, no deployment
	})
}

// addDeploymentRule makes the rule. A rule counts only with a target: monitor measures once
// more.
func (p *Pipeline) addDeploymentRule(monitor function) {
	scope := constructs.NewConstruct(p.Stack, jsii.String("Deployments"))
	stack := fmt.Sprintf("arn:%s:cloudformation:%s:%s:stack/%s/", *p.Stack.Partition(), *p.Stack.Region(), *p.Stack.Account(), p.o.name(spec.PipelineStack))
	rule := awsevents.NewCfnRule(scope, jsii.String("Rule"), &awsevents.CfnRuleProps{
		Name:        jsii.String(p.o.name(deployingAlarm)),
		Description: jsii.String("Deployments of Millrace: an alarm counts them"),
		EventPattern: map[string]any{"$or": []any{
			map[string]any{
				"source": []any{"aws.cloudformation"}, "detail-type": []any{"CloudFormation Stack Status Change"},
				"detail": map[string]any{"stack-id": []any{map[string]any{"prefix": stack}}},
			},
			map[string]any{
				"source": []any{"aws.codedeploy"}, "detail-type": []any{"CodeDeploy Deployment State-change Notification"},
				"detail": map[string]any{"application": []any{p.o.name(rolloutApplication)}},
			},
		}},
		Targets: []any{&awsevents.CfnRule_TargetProperty{
			Id: jsii.String("monitor"), Arn: monitor.Alias.FunctionArn(),
			RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{MaximumRetryAttempts: jsii.Number(0)},
		}},
	})
	monitor.Alias.AddPermission(jsii.String("Deployments"), &awslambda.Permission{
		Principal: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil), SourceArn: rule.AttrArn(),
	})
}
