package awsio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"
)

func TestReadable(t *testing.T) {
	refused := func(ip string) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.ParseIP(ip), Port: 4566}, Err: syscall.ECONNREFUSED}
	}
	for code, want := range map[string]string{
		"ExpiredToken":                "SQS GetQueueUrl: the AWS session has expired: sign in again",
		"UnrecognizedClientException": "AWS does not take these credentials",
		"AccessDenied":                "not allowed to do this: said AWS",
		"RequestThrottled":            "try again in a minute",
		"SomethingElse":               "SQS GetQueueUrl: SomethingElse: said AWS",
	} {
		err := error(&smithy.OperationError{ServiceID: "SQS", OperationName: "GetQueueUrl",
			Err: fmt.Errorf("https response error StatusCode: 400: %w", &smithy.GenericAPIError{Code: code, Message: "said AWS"})})
		got := readable(err)
		if !strings.Contains(got.Error(), want) || strings.Contains(got.Error(), "StatusCode") || !errors.Is(got, err) {
			t.Errorf("%s: %v", code, got)
		}
	}
	if got := readable(fmt.Errorf("x: %w", refused("127.0.0.1"))); !strings.HasPrefix(got.Error(), "nothing answers at 127.0.0.1:4566: `make localstack-up`") {
		t.Errorf("LocalStack is down: %v", got)
	}
	if got := readable(refused("10.0.0.1")); !strings.HasPrefix(got.Error(), "no connection to AWS: ") {
		t.Errorf("no network: %v", got)
	}
	other := errors.New("other")
	if got := readable(other); got.Error() != "other" {
		t.Error("another error was changed")
	}
}

func TestCheckAccess(t *testing.T) {
	some := credentials.NewStaticCredentialsProvider("key", "very-secret", "")
	none := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, fmt.Errorf("refresh: %w", errors.New("no EC2 role"))
	})
	if err := CheckAccess(t.Context(), aws.Config{Region: "eu-west-1", Credentials: some}); err != nil {
		t.Error(err)
	}
	if err := CheckAccess(t.Context(), aws.Config{Credentials: some}); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("no region: %v", err)
	}
	err := CheckAccess(t.Context(), aws.Config{Region: "eu-west-1", Credentials: none})
	if err == nil || !strings.HasPrefix(err.Error(), "no AWS credentials: set AWS_PROFILE") || !strings.HasSuffix(err.Error(), "(no EC2 role)") {
		t.Errorf("no credentials: %v", err)
	}
}
