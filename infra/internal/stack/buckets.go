package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Claims are kept longer than any message that refers to them: a message lives as long as
// its queue keeps it, its dead letter as long again, and one redrive may follow.
var claimDays = 3 * days(spec.DLQRetention)

const (
	claimPrefix       = "claims/" // of the keys; shared/adapter/awsio writes there
	abandonedUploads  = 7         // days after which an upload that was not finished is dropped
	oldBackupVersions = 90        // days for which a replaced or deleted backup can be had back
)

func newClaims(d *Data, o *Options) awss3.Bucket {
	p := d.bucket(o, spec.ClaimsBucket)
	p.LifecycleRules = &[]*awss3.LifecycleRule{
		{Id: jsii.String("expire-claims"), Prefix: jsii.String(claimPrefix), Expiration: awscdk.Duration_Days(jsii.Number(claimDays))},
		abandoned(),
	}
	return awss3.NewBucket(d.Stack, jsii.String("Claims"), p)
}

func newBackup(d *Data, o *Options) awss3.Bucket {
	p := d.bucket(o, spec.BackupBucket)
	p.Versioned = jsii.Bool(true)
	p.LifecycleRules = &[]*awss3.LifecycleRule{
		{Id: jsii.String("expire-old-versions"), NoncurrentVersionExpiration: awscdk.Duration_Days(jsii.Number(oldBackupVersions))},
		abandoned(),
	}
	if n := o.Deployment.ObjectLockDays; n > 0 {
		p.ObjectLockEnabled = jsii.Bool(true)
		p.ObjectLockDefaultRetention = awss3.ObjectLockRetention_Governance(awscdk.Duration_Days(jsii.Number(n)))
	}
	return awss3.NewBucket(d.Stack, jsii.String("Backup"), p)
}

func abandoned() *awss3.LifecycleRule {
	return &awss3.LifecycleRule{
		Id: jsii.String("abort-uploads"), AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(abandonedUploads)),
	}
}

func (d *Data) bucket(o *Options, name string) *awss3.BucketProps {
	return &awss3.BucketProps{
		BucketName:        jsii.String(spec.BucketName(o.Deployment.Settings.Env, name, *d.Stack.Account(), *d.Stack.Region())),
		Encryption:        awss3.BucketEncryption_KMS,
		EncryptionKey:     d.Key,
		BucketKeyEnabled:  jsii.Bool(true), // one call to KMS for many objects
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		EnforceSSL:        jsii.Bool(true),
		MinimumTLSVersion: jsii.Number(1.2),
		RemovalPolicy:     o.removal(),
	}
}
