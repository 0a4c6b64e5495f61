package awsio

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Load reads the configuration of the environment: region, credentials, endpoint.
func Load(ctx context.Context) (aws.Config, error) {
	return load(ctx)
}

// Where LocalStack is by default, and who asks it: it takes any key, and gives this one
// the account 000000000000.
const (
	localStackEndpoint = "http://localhost:4566"
	localStackRegion   = "us-east-1"
	localStackKey      = "test"
)

// LoadLocalStack is the configuration of a LocalStack on this machine: at AWS_ENDPOINT_URL
// and in AWS_REGION where they are set. It never uses the credentials of an account.
func LoadLocalStack(ctx context.Context) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(localStackKey, localStackKey, "")),
		config.WithDefaultRegion(localStackRegion),
	}
	if os.Getenv("AWS_ENDPOINT_URL") == "" {
		options = append(options, config.WithBaseEndpoint(localStackEndpoint))
	}
	return load(ctx, options...)
}

func load(ctx context.Context, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return c, fmt.Errorf("AWS configuration: %w", err)
	}
	return c, nil
}

// Account is the number of the account that the credentials belong to.
func Account(ctx context.Context, cfg aws.Config) (string, error) {
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return "", readable(err)
	}
	return aws.ToString(out.Account), nil
}
