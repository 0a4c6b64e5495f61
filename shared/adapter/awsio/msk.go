package awsio

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kafka"
)

// BootstrapServers of an MSK cluster for clients with IAM authentication, HOST:PORT
// separated by commas (Amazon MSK API reference, GetBootstrapBrokers).
func BootstrapServers(ctx context.Context, cfg aws.Config, cluster string) (string, error) {
	out, err := kafka.NewFromConfig(cfg).GetBootstrapBrokers(ctx, &kafka.GetBootstrapBrokersInput{ClusterArn: &cluster})
	if err != nil {
		return "", fmt.Errorf("bootstrap servers of %s: %w", cluster, err)
	}
	servers := aws.ToString(out.BootstrapBrokerStringSaslIam)
	if servers == "" {
		return "", fmt.Errorf("the MSK cluster %s has no servers for IAM authentication: switch it on in its security settings", cluster)
	}
	return servers, nil
}
