package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Data is the stack of what outlives the pipeline. A logical id in it that changes makes
// CloudFormation replace the resource: a test guards them.
type Data struct {
	Stack   awscdk.Stack
	Key     awskms.Key
	Claims  awss3.Bucket
	Backup  awss3.Bucket
	Network *network // nil: none is made
	// ARNs of secrets; the first is the one that was given, if one was.
	MongoSecret, PseudonymSecret *string
	// ClusterARN of the Kafka that is made, nil for none.
	ClusterARN *string
}

func newData(app awscdk.App, o Options) *Data {
	p := o.props(spec.DataStack, "Millrace: keys, secrets, buckets and Kafka")
	p.TerminationProtection = &o.Deployment.TerminationProtection
	s := awscdk.NewStack(app, jsii.String("Data"), p)

	d := &Data{Stack: s, Key: newKey(s, &o)}
	d.Claims = newClaims(d, &o)
	d.Backup = newBackup(d, &o)
	d.addSecrets(&o)
	if o.Deployment.VPC == spec.VPCNew || o.Deployment.Kafka == spec.KafkaCreate {
		d.Network = newNetwork(d, &o)
	}
	if o.Deployment.Kafka == spec.KafkaCreate {
		d.ClusterARN = newCluster(d, &o)
	}
	return d
}
