package awsio

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// claimPrefix of the keys in the bucket: its lifecycle rule expires them.
const claimPrefix = "claims/"

// Claims keeps claim-check bodies in a bucket, each under the SHA-256 of its bytes, so
// that retries keep one copy. It implements pipeline.Claims.
type Claims struct {
	Client *s3.Client
	Bucket string
}

// NewClaims keeps bodies in the bucket. At an endpoint that the configuration names,
// such as LocalStack's, the bucket goes into the path: as a part of the host name it
// would not resolve there.
func NewClaims(cfg aws.Config, bucket string) *Claims {
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = cfg.BaseEndpoint != nil })
	return &Claims{Client: client, Bucket: bucket}
}

// Put implements pipeline.Claims.
func (c *Claims) Put(ctx context.Context, body []byte) (string, error) {
	sum := sha256.Sum256(body)
	key := claimPrefix + hex.EncodeToString(sum[:])
	_, err := c.Client.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.Bucket, Key: &key, Body: bytes.NewReader(body)})
	if err != nil {
		return "", fmt.Errorf("put s3://%s/%s: %w", c.Bucket, key, readable(err))
	}
	return key, nil
}

// Get implements pipeline.Claims.
func (c *Claims) Get(ctx context.Context, ref string) ([]byte, error) {
	out, err := c.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &c.Bucket, Key: &ref})
	var none *types.NoSuchKey
	switch {
	case errors.As(err, &none):
		return nil, fault.New(fault.ClaimMissing, "s3://%s/%.100s", c.Bucket, ref)
	case err != nil:
		return nil, fmt.Errorf("get s3://%s/%.100s: %w", c.Bucket, ref, readable(err))
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}
