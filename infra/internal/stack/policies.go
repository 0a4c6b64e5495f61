package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// The statements that functions' roles are made of. Each is what one use needs: no grant
// of the CDK is used, since those are wider. A test walks every policy of the templates.

func allow(sid string, actions []string, resources ...*string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: &sid, Actions: jsii.Strings(actions...), Resources: &resources,
	})
}

func mayLog(group *string) awsiam.PolicyStatement {
	return allow("Log", []string{"logs:CreateLogStream", "logs:PutLogEvents"}, group)
}

// mayConsume is what Lambda's pollers do with the role (AWS Lambda Developer Guide,
// "Configuring an Amazon SQS queue to use with Lambda"), and what redrive does itself.
func mayConsume(queues ...*string) awsiam.PolicyStatement {
	return allow("Consume", []string{
		"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes",
	}, queues...)
}

func maySend(sid string, queues ...*string) awsiam.PolicyStatement {
	return allow(sid, []string{"sqs:SendMessage"}, queues...)
}

func mayPublish(topics ...*string) awsiam.PolicyStatement {
	return allow("Publish", []string{"sns:Publish"}, topics...)
}

// mayClaim reads and writes claims. To list is what makes S3 say that a key is missing
// instead of that access is denied (Amazon S3 API reference, GetObject).
func mayClaim(bucket *string) []awsiam.PolicyStatement {
	objects := *bucket + "/" + claimPrefix + "*"
	list := allow("ListClaims", []string{"s3:ListBucket"}, bucket)
	list.AddCondition(jsii.String("StringLike"), map[string]any{"s3:prefix": claimPrefix + "*"})
	return []awsiam.PolicyStatement{allow("Claims", []string{"s3:GetObject", "s3:PutObject"}, &objects), list}
}

// mayKeepPages reads and writes the object with the open pages, which is missing at first.
func mayKeepPages(bucket *string) []awsiam.PolicyStatement {
	object := *bucket + "/" + spec.OpenPagesKey
	list := allow("ListPages", []string{"s3:ListBucket"}, bucket)
	list.AddCondition(jsii.String("StringEquals"), map[string]any{"s3:prefix": spec.OpenPagesKey})
	return []awsiam.PolicyStatement{allow("OpenPages", []string{"s3:GetObject", "s3:PutObject"}, &object), list}
}

// mayDescribeAlarms: composite alarms are returned only to who may describe all (Amazon
// CloudWatch API reference, DescribeAlarms).
func mayDescribeAlarms() awsiam.PolicyStatement {
	return allow("Alarms", []string{"cloudwatch:DescribeAlarms"}, jsii.String("*"))
}

func mayReadSecrets(secrets ...*string) awsiam.PolicyStatement {
	return allow("Secrets", []string{"secretsmanager:GetSecretValue"}, secrets...)
}

// mayUseKey: to send to an encrypted queue or topic takes a new data key, to read takes
// the decryption of one (Amazon SQS Developer Guide, "Configuring KMS permissions").
func mayUseKey(key *string) awsiam.PolicyStatement {
	return allow("Key", []string{"kms:Decrypt", "kms:GenerateDataKey"}, key)
}

func mayDecrypt(key *string) awsiam.PolicyStatement {
	return allow("SecretKey", []string{"kms:Decrypt"}, key)
}

// mayJoinVPC is what Lambda needs for network interfaces in a VPC, of a function or of
// the pollers of a Kafka in one. EC2 has no permissions on single resources for these
// (AWS Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon
// VPC", and "Configuring MSK event sources").
func mayJoinVPC() awsiam.PolicyStatement {
	return allow("Network", []string{
		"ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
		"ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
	}, jsii.String("*"))
}

// mayReadMSK reads one topic of an MSK cluster with IAM authentication (AWS Lambda
// Developer Guide, "Configuring permissions for MSK event sources").
func mayReadMSK(cluster *string, topic, group string) []awsiam.PolicyStatement {
	return []awsiam.PolicyStatement{
		allow("Cluster", []string{
			"kafka:DescribeClusterV2", "kafka:GetBootstrapBrokers",
			"kafka-cluster:Connect", "kafka-cluster:DescribeClusterDynamicConfiguration",
		}, cluster),
		allow("Topic", []string{"kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"}, partOfMSK(cluster, "topic", topic)),
		allow("Group", []string{"kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"}, partOfMSK(cluster, "group", group)),
	}
}

// mayWatchMSK sees how far a group has come in a topic, and makes that topic where it is
// missing; it may change none (Amazon MSK Developer Guide, "Semantics of IAM authorization
// policy actions and resources").
func mayWatchMSK(cluster *string, topic, group string) []awsiam.PolicyStatement {
	return []awsiam.PolicyStatement{
		allow("Cluster", []string{"kafka:GetBootstrapBrokers", "kafka-cluster:Connect", "kafka-cluster:DescribeCluster"}, cluster),
		allow("Topic", []string{
			"kafka-cluster:CreateTopic", "kafka-cluster:DescribeTopic", "kafka-cluster:DescribeTopicDynamicConfiguration",
		}, partOfMSK(cluster, "topic", topic)),
		allow("Group", []string{"kafka-cluster:DescribeGroup"}, partOfMSK(cluster, "group", group)),
	}
}

// partOfMSK is the ARN of a topic or a group of a cluster.
func partOfMSK(cluster *string, kind, last string) *string {
	halves := awscdk.Fn_Split(jsii.String(":cluster/"), cluster, nil)
	return jsii.String(*awscdk.Fn_Select(jsii.Number(0), halves) + ":" + kind + "/" + *awscdk.Fn_Select(jsii.Number(1), halves) + "/" + last)
}
