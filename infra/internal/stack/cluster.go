package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsmsk"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// expressVersion of Apache Kafka on Express brokers (Amazon MSK Developer Guide, "MSK
// Express brokers": 3.6, 3.8 and 3.9).
const expressVersion = "3.8.x"

// newCluster makes an MSK cluster in d's network, open to IAM authentication alone, and
// returns its ARN.
func newCluster(d *Data, o *Options) *string {
	subnets := d.Network.VPC.SelectSubnets(d.Network.subnets()).SubnetIds
	groups := &[]*string{d.Network.Group.SecurityGroupId()}
	name := jsii.String(o.name("kafka"))
	if o.Deployment.KafkaCreate == spec.CreateServerless {
		c := awsmsk.NewCfnServerlessCluster(d.Stack, jsii.String("Kafka"), &awsmsk.CfnServerlessClusterProps{
			ClusterName: name,
			ClientAuthentication: &awsmsk.CfnServerlessCluster_ClientAuthenticationProperty{
				Sasl: &awsmsk.CfnServerlessCluster_SaslProperty{Iam: &awsmsk.CfnServerlessCluster_IamProperty{Enabled: jsii.Bool(true)}},
			},
			VpcConfigs: &[]*awsmsk.CfnServerlessCluster_VpcConfigProperty{{SubnetIds: subnets, SecurityGroups: groups}},
		})
		return keep(c, o)
	}
	c := awsmsk.NewCfnCluster(d.Stack, jsii.String("Kafka"), &awsmsk.CfnClusterProps{
		ClusterName:         name,
		KafkaVersion:        jsii.String(expressVersion),
		NumberOfBrokerNodes: jsii.Number(zones),
		BrokerNodeGroupInfo: &awsmsk.CfnCluster_BrokerNodeGroupInfoProperty{
			InstanceType: &o.Deployment.KafkaInstance, ClientSubnets: subnets, SecurityGroups: groups,
		},
		ClientAuthentication: &awsmsk.CfnCluster_ClientAuthenticationProperty{
			Sasl: &awsmsk.CfnCluster_SaslProperty{Iam: &awsmsk.CfnCluster_IamProperty{Enabled: jsii.Bool(true)}},
		},
		EncryptionInfo: &awsmsk.CfnCluster_EncryptionInfoProperty{
			EncryptionAtRest:    &awsmsk.CfnCluster_EncryptionAtRestProperty{DataVolumeKmsKeyId: d.Key.KeyArn()},
			EncryptionInTransit: &awsmsk.CfnCluster_EncryptionInTransitProperty{ClientBroker: jsii.String("TLS"), InCluster: jsii.Bool(true)},
		},
		EnhancedMonitoring: jsii.String("PER_TOPIC_PER_BROKER"), // consumer lag too
		LoggingInfo:        brokerLogs(d, o),
	})
	return keep(c, o)
}

func brokerLogs(d *Data, o *Options) *awsmsk.CfnCluster_LoggingInfoProperty {
	group := awslogs.NewLogGroup(d.Stack, jsii.String("KafkaLogs"), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String(kafkaLogGroup(o)),
		EncryptionKey: d.Key,
		Retention:     retention(o.Deployment.LogRetentionDays),
		RemovalPolicy: o.removal(),
	})
	return &awsmsk.CfnCluster_LoggingInfoProperty{BrokerLogs: &awsmsk.CfnCluster_BrokerLogsProperty{
		CloudWatchLogs: &awsmsk.CfnCluster_CloudWatchLogsProperty{Enabled: jsii.Bool(true), LogGroup: group.LogGroupName()},
	}}
}

func kafkaLogGroup(o *Options) string { return "/aws/msk/" + o.name("kafka") }

func keep(c awscdk.CfnResource, o *Options) *string {
	c.ApplyRemovalPolicy(o.removal(), nil)
	return c.Ref()
}
