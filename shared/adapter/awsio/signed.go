package awsio

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// FunctionURLRegion is the region of a Lambda function URL by its host name, such as
// "abc.lambda-url.eu-west-1.on.aws"; ok is false for any other host.
func FunctionURLRegion(host string) (region string, ok bool) {
	labels := strings.Split(strings.ToLower(host), ".")
	if len(labels) != 5 || labels[1] != "lambda-url" || labels[3] != "on" || labels[4] != "aws" {
		return "", false
	}
	return labels[2], true
}

// Signed signs requests to a Lambda function URL with the credentials of the
// configuration (AWS Lambda Developer Guide, "Control access to Lambda function URLs",
// auth type AWS_IAM). It is an http.RoundTripper.
type Signed struct {
	Config aws.Config
	Region string // of the function URL
	Base   http.RoundTripper
	Now    func() time.Time
}

// RoundTrip implements http.RoundTripper. The body is read into memory: its hash is
// signed too.
func (s *Signed) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	credentials, err := s.Config.Credentials.Retrieve(r.Context())
	if err != nil {
		return nil, fmt.Errorf("AWS credentials: %w", err)
	}
	signed := r.Clone(r.Context()) // a RoundTripper must not change its request
	signed.Body = io.NopCloser(bytes.NewReader(body))
	signed.ContentLength = int64(len(body))
	hash := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), credentials, signed, hex.EncodeToString(hash[:]), "lambda", s.Region, s.Now()); err != nil {
		return nil, err
	}
	return s.Base.RoundTrip(signed)
}
