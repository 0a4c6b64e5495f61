package awsio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// Object is a small object in a bucket that several may write at once. Its version is
// the ETag (Amazon S3 User Guide, "How to prevent object overwrites with conditional
// writes"). It implements oncall.Object.
//
// Load needs s3:ListBucket besides s3:GetObject: without it S3 answers 403 instead of 404
// for an object that is not there (Amazon S3 API reference, GetObject, "Permissions").
type Object struct {
	client      *s3.Client
	bucket, key string
}

// NewObject is the object in the bucket; at another endpoint than AWS's the bucket goes
// into the path, as with NewClaims.
func NewObject(cfg aws.Config, bucket, key string) *Object {
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = cfg.BaseEndpoint != nil })
	return &Object{client: client, bucket: bucket, key: key}
}

// Load implements oncall.Object.
func (o *Object) Load(ctx context.Context) (body []byte, version string, err error) {
	out, err := o.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &o.key})
	var none *types.NoSuchKey
	switch {
	case errors.As(err, &none):
		return nil, "", nil
	case err != nil:
		return nil, "", fmt.Errorf("get s3://%s/%s: %w", o.bucket, o.key, err)
	}
	defer out.Body.Close()
	body, err = io.ReadAll(out.Body)
	if err != nil {
		return nil, "", fmt.Errorf("get s3://%s/%s: %w", o.bucket, o.key, err)
	}
	return body, aws.ToString(out.ETag), nil
}

// Save implements oncall.Object.
func (o *Object) Save(ctx context.Context, body []byte, version string) (saved bool, err error) {
	in := &s3.PutObjectInput{Bucket: &o.bucket, Key: &o.key, Body: bytes.NewReader(body), ContentType: aws.String("application/json")}
	if version == "" {
		in.IfNoneMatch = aws.String("*")
	} else {
		in.IfMatch = &version
	}
	_, err = o.client.PutObject(ctx, in)
	var api smithy.APIError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &api) && lostRace[api.ErrorCode()]:
		return false, nil
	}
	return false, fmt.Errorf("put s3://%s/%s: %w", o.bucket, o.key, err)
}

// lostRace are the answers to a conditional write that came too late: the object is
// another by now, somebody writes it at this moment, it has been deleted.
var lostRace = map[string]bool{"PreconditionFailed": true, "ConditionalRequestConflict": true, "NoSuchKey": true}
