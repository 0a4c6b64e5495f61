package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// network is a VPC with the security group of what Millrace runs in it.
type network struct {
	VPC   awsec2.IVpc
	Group awsec2.ISecurityGroup

	kind awsec2.SubnetType // of the subnets for functions and brokers
}

const (
	tlsPort   = 443
	kafkaPort = 9098 // of MSK, for IAM authentication
)

// zones of a new VPC: three, as Kafka keeps three replicas.
const zones = 3

// newNetwork makes a VPC that needs no way to the internet: each AWS service in use has
// an endpoint in it.
func newNetwork(d *Data, o *Options) *network {
	n := &network{kind: awsec2.SubnetType_PRIVATE_ISOLATED}
	subnets := []*awsec2.SubnetConfiguration{}
	if o.Deployment.NATGateways > 0 {
		n.kind = awsec2.SubnetType_PRIVATE_WITH_EGRESS
		subnets = append(subnets, &awsec2.SubnetConfiguration{
			Name: jsii.String("public"), SubnetType: awsec2.SubnetType_PUBLIC, MapPublicIpOnLaunch: jsii.Bool(false),
		})
	}
	subnets = append(subnets, &awsec2.SubnetConfiguration{Name: jsii.String("private"), SubnetType: n.kind})
	vpc := awsec2.NewVpc(d.Stack, jsii.String("Network"), &awsec2.VpcProps{
		VpcName: jsii.String(o.name("network")), MaxAzs: jsii.Number(zones), NatGateways: jsii.Number(o.Deployment.NATGateways),
		SubnetConfiguration:          &subnets,
		RestrictDefaultSecurityGroup: jsii.Bool(false), // takes a function of the CDK's own; nothing uses that group
		GatewayEndpoints: &map[string]*awsec2.GatewayVpcEndpointOptions{
			"S3": {Service: awsec2.GatewayVpcEndpointAwsService_S3()},
		},
	})
	n.VPC, n.Group = vpc, newGroup(d, o, vpc)
	for id, service := range endpoints() {
		vpc.AddInterfaceEndpoint(&id, &awsec2.InterfaceVpcEndpointOptions{
			Service: service, SecurityGroups: &[]awsec2.ISecurityGroup{n.Group},
			Open: jsii.Bool(false), Subnets: n.subnets(),
		})
	}
	return n
}

// newGroup is the security group of functions, pollers, brokers and endpoints: they talk
// with each other over TLS and Kafka's port for IAM authentication.
func newGroup(d *Data, o *Options, vpc awsec2.Vpc) awsec2.SecurityGroup {
	group := awsec2.NewSecurityGroup(d.Stack, jsii.String("Group"), &awsec2.SecurityGroupProps{
		Vpc: vpc, SecurityGroupName: jsii.String(o.name("pipeline")), Description: jsii.String("Millrace: functions, Kafka and endpoints"),
	})
	group.AddIngressRule(group, awsec2.Port_Tcp(jsii.Number(tlsPort)), jsii.String("AWS services"), nil)
	group.AddIngressRule(group, awsec2.Port_Tcp(jsii.Number(kafkaPort)), jsii.String("Kafka with IAM authentication"), nil)
	return group
}

// endpoints are those of the services that functions and Lambda's Kafka pollers call (AWS
// Lambda Developer Guide, "Configuring network security for MSK").
func endpoints() map[string]awsec2.InterfaceVpcEndpointAwsService {
	return map[string]awsec2.InterfaceVpcEndpointAwsService{
		"Kafka":          awsec2.InterfaceVpcEndpointAwsService_KAFKA(),
		"KMS":            awsec2.InterfaceVpcEndpointAwsService_KMS(),
		"Lambda":         awsec2.InterfaceVpcEndpointAwsService_LAMBDA(),
		"SecretsManager": awsec2.InterfaceVpcEndpointAwsService_SECRETS_MANAGER(),
		"SNS":            awsec2.InterfaceVpcEndpointAwsService_SNS(),
		"SQS":            awsec2.InterfaceVpcEndpointAwsService_SQS(),
		"STS":            awsec2.InterfaceVpcEndpointAwsService_STS(),
	}
}

func (n *network) subnets() *awsec2.SubnetSelection {
	return &awsec2.SubnetSelection{SubnetType: n.kind}
}

// functionNetwork is the network of the functions, nil for none.
func (p *Pipeline) functionNetwork() *network {
	switch id := p.o.Deployment.VPC; id {
	case spec.VPCNone:
		return nil
	case spec.VPCNew:
		return p.data.Network
	default:
		vpc := awsec2.Vpc_FromLookup(p.Stack, jsii.String("Network"), &awsec2.VpcLookupOptions{VpcId: &id})
		return &network{
			VPC: vpc, kind: awsec2.SubnetType_PRIVATE_WITH_EGRESS,
			Group: awsec2.NewSecurityGroup(p.Stack, jsii.String("Group"), &awsec2.SecurityGroupProps{
				Vpc: vpc, SecurityGroupName: jsii.String(p.o.name("pipeline")), Description: jsii.String("Millrace: functions"),
			}),
		}
	}
}
