package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// newKey makes the one key that encrypts queues, topics, logs, buckets, secrets and the
// functions' environments. Roles of the account may use it where their own policies say
// so; services only as below.
func newKey(s awscdk.Stack, o *Options) awskms.Key {
	key := awskms.NewKey(s, jsii.String("Key"), &awskms.KeyProps{
		Alias:             jsii.String("alias/" + spec.ResourceName(o.Deployment.Settings.Env, "key")),
		Description:       jsii.String("Millrace: queues, topics, logs, buckets and secrets"),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     o.removal(),
	})
	// SNS puts messages into encrypted queues itself (Amazon SNS Developer Guide,
	// "Enabling compatibility between event sources from AWS services and encrypted topics").
	key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("TopicsToQueues"),
		Principals: service("sns.amazonaws.com"),
		Actions:    jsii.Strings("kms:Decrypt", "kms:GenerateDataKey*"),
		Resources:  jsii.Strings("*"), // in a key's policy: this key
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": s.Account()}},
	}), nil)
	// Alarms publish to encrypted topics (Amazon SNS Developer Guide, the same section).
	key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("AlarmsToTopics"),
		Principals: service("cloudwatch.amazonaws.com"),
		Actions:    jsii.Strings("kms:Decrypt", "kms:GenerateDataKey*"),
		Resources:  jsii.Strings("*"),
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": s.Account()}},
	}), nil)
	// Amazon CloudWatch Logs User Guide, "Encrypt log data using AWS KMS".
	key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("Logs"),
		Principals: service("logs." + *s.Region() + ".amazonaws.com"),
		Actions:    jsii.Strings("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:Describe*"),
		Resources:  jsii.Strings("*"),
		Conditions: &map[string]any{"ArnLike": map[string]any{
			"kms:EncryptionContext:aws:logs:arn": []any{logGroupARN(s, spec.LogGroup(o.Deployment.Settings.Env, "*")), logGroupARN(s, kafkaLogGroup(o))},
		}},
	}), nil)
	return key
}

func logGroupARN(s awscdk.Stack, name string) *string {
	return s.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("logs"), Resource: jsii.String("log-group"),
		ResourceName: &name, ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
}

func service(name string) *[]awsiam.IPrincipal {
	return &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(&name, nil)}
}
