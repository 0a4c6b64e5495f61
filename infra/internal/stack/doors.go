package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// addDoors are the ways into ingest besides its queue: Kafka and a URL.
func (p *Pipeline) addDoors(ingest *Stage) {
	p.addKafkaSource(ingest)
	if !p.o.Deployment.FunctionURL {
		return
	}
	// A sender of the account needs lambda:InvokeFunctionUrl and lambda:InvokeFunction on
	// the alias in its own policy; of another account, a permission on the alias as well.
	url := ingest.Alias.AddFunctionUrl(&awslambda.FunctionUrlOptions{AuthType: awslambda.FunctionUrlAuthType_AWS_IAM})
	awscdk.NewCfnOutput(p.Stack, jsii.String("IngestURL"), &awscdk.CfnOutputProps{
		Value: url.Url(), Description: jsii.String("Takes CloudEvents by POST, signed with AWS Signature Version 4 for the service lambda"),
	})
}
