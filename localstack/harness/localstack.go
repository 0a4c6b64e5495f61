package harness

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/millrace-pipeline/millrace/localstack/host"
)

// AWS is the configuration of a client of LocalStack.
func AWS(t testing.TB) aws.Config {
	t.Helper()
	c, err := awsConfig(t.Context(), LocalStack(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func awsConfig(ctx context.Context, endpoint string) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, config.WithBaseEndpoint(endpoint), config.WithRegion(host.LocalStackRegion),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(host.LocalStackKey, host.LocalStackKey, "")))
}
