package stack

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// function is one Lambda function: its role, its log group and the alias that everything
// invokes it by.
type function struct {
	Lambda awslambda.Function
	Alias  awslambda.Alias
}

// functionProps are what differs between functions.
type functionProps struct {
	name        string
	description string
	timeout     time.Duration
	memory      int // MiB
	reserved    int // concurrency; 0: none
	environment map[string]*string
	statements  []awsiam.PolicyStatement // besides those that every function needs
	outside     bool                     // in no VPC
}

func newFunction(scope constructs.Construct, p *Pipeline, fp functionProps) function {
	d := &p.o.Deployment
	name := p.o.name(fp.name)
	logs := awslogs.NewLogGroup(scope, jsii.String("Logs"), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String(spec.LogGroup(d.Settings.Env, fp.name)),
		EncryptionKey: p.key,
		Retention:     retention(d.LogRetentionDays),
		// One that stayed would be in the way of the next deployment, by its name.
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	fp.statements = append(fp.statements, mayLog(logs.LogGroupArn()), mayUseKey(p.key.KeyArn()))
	vpc := p.vpc
	if fp.outside {
		vpc = nil
	}
	if vpc != nil {
		fp.statements = append(fp.statements, mayJoinVPC())
	}
	props := &awslambda.FunctionProps{
		FunctionName:          &name,
		Description:           &fp.description,
		Runtime:               awslambda.Runtime_PROVIDED_AL2023(),
		Handler:               jsii.String("bootstrap"),
		Code:                  awslambda.Code_FromAsset(jsii.String(p.o.zip(fp.name)), nil),
		Architecture:          architecture(d.Architecture),
		MemorySize:            jsii.Number(fp.memory),
		Timeout:               seconds(fp.timeout),
		Environment:           environment(d, fp.environment),
		EnvironmentEncryption: p.key,
		LogGroup:              logs,
		Role:                  newRole(scope, fp.statements),
		// A stage sends what it must retry to its own queue, and does so at most
		// MaxAttempts times and, while a breaker is open, without limit: Lambda's loop
		// detection would drop the messages of an outage after 16 rounds (AWS Lambda
		// Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops").
		RecursiveLoop:         awslambda.RecursiveLoop_ALLOW,
		CurrentVersionOptions: &awslambda.VersionOptions{RemovalPolicy: awscdk.RemovalPolicy_RETAIN}, // to roll back to
	}
	if vpc != nil {
		props.Vpc, props.VpcSubnets, props.SecurityGroups = vpc.VPC, vpc.subnets(), &[]awsec2.ISecurityGroup{vpc.Group}
	}
	if fp.reserved > 0 {
		props.ReservedConcurrentExecutions = jsii.Number(fp.reserved)
	}
	fn := awslambda.NewFunction(scope, jsii.String("Function"), props)
	alias := awslambda.NewAlias(scope, jsii.String("Alias"), &awslambda.AliasProps{
		AliasName: jsii.String(spec.Alias),
		Version:   fn.CurrentVersion(),
	})
	return function{Lambda: fn, Alias: alias}
}

// newRole makes the role with its policy inside, so that the role is never there without
// its permissions: an event source that is made in between would fail.
func newRole(scope constructs.Construct, statements []awsiam.PolicyStatement) awsiam.Role {
	return awsiam.NewRole(scope, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		InlinePolicies: &map[string]awsiam.PolicyDocument{
			"function": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &statements}),
		},
	})
}

// environment is what a function reads: the settings of the deployment, and own.
func environment(d *spec.Deployment, own map[string]*string) *map[string]*string {
	vars := make(map[string]*string, len(d.Variables)+len(own))
	for name, value := range d.Variables {
		vars[name] = &value
	}
	for name, value := range own {
		vars[name] = value
	}
	return &vars
}

func architecture(goarch string) awslambda.Architecture {
	if goarch == spec.AMD64 {
		return awslambda.Architecture_X86_64()
	}
	return awslambda.Architecture_ARM_64()
}
