package awsio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

// explanation says in words what an error code of any AWS service means for the operator
// (AWS General Reference, "Common errors"; of S3 and STS their own references).
type explanation struct {
	codes []string
	text  string
	// detail: what AWS says itself is worth reading, such as the action that is not allowed.
	detail bool
}

var explanations = []explanation{
	{[]string{"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"},
		"the AWS session has expired: sign in again (`aws sso login`, or a new AWS_SESSION_TOKEN)", false},
	{[]string{"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure", "IncompleteSignature", "MissingAuthenticationToken"},
		"AWS does not take these credentials: check AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` shows who you are", false},
	{[]string{"AccessDenied", "AccessDeniedException", "AccessDeniedFault", "UnauthorizedOperation", "AuthorizationError", "KMS.AccessDeniedException"},
		"not allowed to do this", true},
	{[]string{"OptInRequired", "SubscriptionRequiredException"},
		"the account may not use this service", true},
	{[]string{"Throttling", "ThrottlingException", "RequestThrottled", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"},
		"AWS takes no more requests at the moment: try again in a minute", false},
}

// readable puts an error of the SDK in words for an operator; others come back unchanged.
// It stays what it is for errors.As.
func readable(err error) error {
	var api smithy.APIError
	var dial *net.OpError
	switch {
	case errors.As(err, &api):
		return &explained{explain(err, api), err}
	case errors.As(err, &dial):
		return &explained{unreachable(dial), err}
	}
	return err
}

// unreachable says what to do where nothing answers. On this machine it can only be
// LocalStack.
func unreachable(err *net.OpError) string {
	if addr, ok := err.Addr.(*net.TCPAddr); ok && addr.IP.IsLoopback() {
		return fmt.Sprintf("nothing answers at %v: `make localstack-up` starts LocalStack, AWS_ENDPOINT_URL says where it is", addr)
	}
	return fmt.Sprintf("no connection to AWS: %v", err)
}

// explained has the text of an explanation, and all that the error is.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }

func explain(err error, api smithy.APIError) string {
	text := fmt.Sprintf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	for _, e := range explanations {
		if slices.Contains(e.codes, api.ErrorCode()) {
			text = e.text
			if e.detail {
				text += ": " + api.ErrorMessage()
			}
		}
	}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		return fmt.Sprintf("%s %s: %s", op.ServiceID, op.OperationName, text)
	}
	return text
}

// credentialsTime is how long finding credentials may take: where there are none, the
// SDK asks the network of an EC2 instance last.
const credentialsTime = 10 * time.Second

// CheckAccess reports, before anything is asked of AWS, that no region or no credentials
// are configured, and how to configure them.
func CheckAccess(ctx context.Context, cfg aws.Config) error {
	if cfg.Region == "" {
		return errors.New("no AWS region: set AWS_REGION, or a region in the profile that AWS_PROFILE names")
	}
	ctx, cancel := context.WithTimeout(ctx, credentialsTime)
	defer cancel()
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return &explained{fmt.Sprintf("no AWS credentials: set AWS_PROFILE (`aws sso login` signs in), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (%v)", innermost(err)), err}
	}
	return nil
}

// innermost is the cause at the end of a chain of errors.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
