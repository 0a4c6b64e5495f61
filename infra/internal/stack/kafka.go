package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// addKafkaSource makes Lambda poll the topic and invoke ingest. It is always in
// provisioned mode: only there does Lambda read partial failures of Kafka batches, and
// bound retries (AWS Lambda Developer Guide, "Configuring error handling controls for
// Kafka event sources").
func (p *Pipeline) addKafkaSource(s *Stage) {
	d := &p.o.Deployment
	if d.Kafka == spec.KafkaNone {
		return
	}
	props := &awslambda.CfnEventSourceMappingProps{
		FunctionName:               s.Alias.FunctionArn(),
		Topics:                     jsii.Strings(d.KafkaTopic),
		StartingPosition:           &d.KafkaStartingPosition,
		BatchSize:                  jsii.Number(d.KafkaBatchSize),
		FunctionResponseTypes:      jsii.Strings(partialFailures),
		BisectBatchOnFunctionError: jsii.Bool(true),
		MaximumRetryAttempts:       jsii.Number(d.KafkaRetries),
		ProvisionedPollerConfig:    pollers(d.KafkaPollersMin, d.KafkaPollersMax),
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: p.KafkaFailed.QueueArn()},
		},
	}
	if d.KafkaBatchWindow > 0 {
		props.MaximumBatchingWindowInSeconds = jsii.Number(d.KafkaBatchWindow.Seconds())
	}
	if d.KafkaRecordAge > 0 {
		props.MaximumRecordAgeInSeconds = jsii.Number(d.KafkaRecordAge.Seconds())
	}
	p.setSource(props)
	awslambda.NewCfnEventSourceMapping(s.Scope, jsii.String("KafkaSource"), props)
}

// setSource says which Kafka, and how to get in.
func (p *Pipeline) setSource(props *awslambda.CfnEventSourceMappingProps) {
	d := &p.o.Deployment
	if arn := p.clusterARN(); arn != nil {
		props.EventSourceArn = arn
		props.AmazonManagedKafkaEventSourceConfig = &awslambda.CfnEventSourceMapping_AmazonManagedKafkaEventSourceConfigProperty{
			ConsumerGroupId: &d.KafkaGroup,
		}
		return
	}
	props.SelfManagedEventSource = &awslambda.CfnEventSourceMapping_SelfManagedEventSourceProperty{
		Endpoints: &awslambda.CfnEventSourceMapping_EndpointsProperty{KafkaBootstrapServers: jsii.Strings(d.KafkaBootstrapServers...)},
	}
	props.SelfManagedKafkaEventSourceConfig = &awslambda.CfnEventSourceMapping_SelfManagedKafkaEventSourceConfigProperty{
		ConsumerGroupId: &d.KafkaGroup,
	}
	props.SourceAccessConfigurations = p.kafkaAccess()
}

// kafkaAccess is never nil: LocalStack refuses a mapping without the list.
func (p *Pipeline) kafkaAccess() *[]any {
	access := []any{}
	add := func(kind, uri string) {
		access = append(access, &awslambda.CfnEventSourceMapping_SourceAccessConfigurationProperty{Type: &kind, Uri: &uri})
	}
	d := &p.o.Deployment
	if d.KafkaSASLSecretARN != "" {
		add("SASL_SCRAM_512_AUTH", d.KafkaSASLSecretARN)
	}
	if d.KafkaCASecretARN != "" {
		add("SERVER_ROOT_CA_CERTIFICATE", d.KafkaCASecretARN)
	}
	if p.vpc != nil {
		for _, id := range *p.vpc.VPC.SelectSubnets(p.vpc.subnets()).SubnetIds {
			add("VPC_SUBNET", "subnet:"+*id)
		}
		add("VPC_SECURITY_GROUP", "security_group:"+*p.vpc.Group.SecurityGroupId())
	}
	return &access
}

// clusterARN of the MSK cluster, nil where the Kafka is none.
func (p *Pipeline) clusterARN() *string {
	switch p.o.Deployment.Kafka {
	case spec.KafkaMSK:
		return &p.o.Deployment.KafkaClusterARN
	case spec.KafkaCreate:
		return p.data.ClusterARN
	}
	return nil
}

// kafkaSecrets are read by Lambda's pollers with the role of ingest.
func (p *Pipeline) kafkaSecrets() []*string {
	var arns []*string
	for _, arn := range []string{p.o.Deployment.KafkaSASLSecretARN, p.o.Deployment.KafkaCASecretARN} {
		if arn != "" {
			arns = append(arns, &arn)
		}
	}
	return arns
}

// kafkaStatements are what ingest's role needs for its Kafka.
func (p *Pipeline) kafkaStatements() []awsiam.PolicyStatement {
	d := &p.o.Deployment
	if d.Kafka == spec.KafkaNone {
		return nil
	}
	may := []awsiam.PolicyStatement{maySend("ReportFailed", p.KafkaFailed.QueueArn())}
	if arn := p.clusterARN(); arn != nil {
		may = append(may, mayReadMSK(arn, d.KafkaTopic, d.KafkaGroup)...)
		if p.vpc == nil { // else it may already: an MSK cluster is always in a VPC
			may = append(may, mayJoinVPC())
		}
	}
	return may
}
