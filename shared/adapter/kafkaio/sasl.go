package kafkaio

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/aws"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// SASL mechanisms.
const (
	Plain       = "PLAIN" // only with TLS: it sends the password itself
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512" // what Amazon MSK offers for passwords
	AWSMSKIAM   = "AWS_MSK_IAM"   // Amazon MSK with the credentials of the environment's AWS chain
)

// mechanism is nil without authentication.
func (c *Config) mechanism() (sasl.Mechanism, error) {
	switch c.SASL {
	case "":
		if c.User != "" || c.Password != "" {
			return nil, fmt.Errorf("kafka user and password are given, but no SASL mechanism: %s, %s or %s", ScramSHA512, ScramSHA256, Plain)
		}
		return nil, nil
	case AWSMSKIAM:
		if c.User != "" || c.Password != "" {
			return nil, fmt.Errorf("SASL mechanism %s takes no Kafka user and password: it signs with AWS credentials", AWSMSKIAM)
		}
		return aws.ManagedStreamingIAM(awsCredentials), nil
	case Plain, ScramSHA256, ScramSHA512:
	default:
		return nil, fmt.Errorf("SASL mechanism %q is not known: %s, %s, %s or %s", c.SASL, ScramSHA512, ScramSHA256, Plain, AWSMSKIAM)
	}
	if c.User == "" || c.Password == "" {
		return nil, fmt.Errorf("SASL mechanism %s needs a Kafka user and password", c.SASL)
	}
	switch c.SASL {
	case ScramSHA256:
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha256Mechanism(), nil
	case ScramSHA512:
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha512Mechanism(), nil
	}
	if !c.TLS && c.CAFile == "" {
		return nil, errors.New("SASL mechanism PLAIN without TLS would send the Kafka password in the clear: switch TLS on")
	}
	return plain.Auth{User: c.User, Pass: c.Password}.AsMechanism(), nil
}

// awsCredentials reads the default chain anew for each connection: credentials of a role
// last hours, connections to Kafka days.
func awsCredentials(ctx context.Context) (aws.Auth, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return aws.Auth{}, fmt.Errorf("AWS credentials for Kafka: %w", err)
	}
	keys, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return aws.Auth{}, fmt.Errorf("AWS credentials for Kafka: %w", err)
	}
	return aws.Auth{AccessKey: keys.AccessKeyID, SecretKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}, nil
}
