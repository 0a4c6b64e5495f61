package stack

import (
	"maps"
	"strings"
	"testing"
)

// keyed says under which property a resource names its KMS key.
var keyed = map[string][]any{
	"AWS::SQS::Queue":             {"KmsMasterKeyId"},
	"AWS::SNS::Topic":             {"KmsMasterKeyId"},
	"AWS::Logs::LogGroup":         {"KmsKeyId"},
	"AWS::Lambda::Function":       {"KmsKeyArn"},
	"AWS::SecretsManager::Secret": {"KmsKeyId"},
	"AWS::S3::Bucket":             {"BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault", "KMSMasterKeyID"},
	"AWS::MSK::Cluster":           {"EncryptionInfo", "EncryptionAtRest", "DataVolumeKMSKeyId"},
}

func TestEverythingIsEncryptedWithOurKey(t *testing.T) {
	seen := make(map[string]bool)
	for name, context := range variations {
		for id, r := range synth(t, context).resources() {
			path, ok := keyed[r.Type]
			if !ok {
				continue
			}
			seen[r.Type] = true
			if key := text(at(r.Properties, path...)); !strings.Contains(key, "Key961B73FD") {
				t.Errorf("%s: %s (%s) has the key %s", name, id, r.Type, key)
			}
		}
	}
	for kind := range keyed {
		if !seen[kind] {
			t.Errorf("no template has a %s", kind)
		}
	}
}

// Every queue, topic and bucket has a policy that refuses requests without TLS.
func TestTLSOnly(t *testing.T) {
	refused := map[string]string{
		"AWS::SQS::QueuePolicy": "Queues", "AWS::SNS::TopicPolicy": "Topics", "AWS::S3::BucketPolicy": "Bucket",
	}
	owners := map[string]string{"AWS::SQS::Queue": "", "AWS::SNS::Topic": "", "AWS::S3::Bucket": ""}
	for name, context := range variations {
		all := synth(t, context).resources()
		safe := make(map[string]bool)
		for _, r := range all {
			if property, ok := refused[r.Type]; ok && refusesPlainHTTP(r) {
				for _, owner := range list(r.Properties[property]) {
					ref, _ := at(owner, "Ref").(string)
					safe[ref] = true
				}
			}
		}
		n := 0
		for id, r := range all {
			if _, ok := owners[r.Type]; !ok {
				continue
			}
			n++
			if !safe[id] {
				t.Errorf("%s: %s (%s) takes requests without TLS", name, id, r.Type)
			}
		}
		if n < 10 {
			t.Errorf("%s: only %d queues, topics and buckets", name, n)
		}
	}
}

func refusesPlainHTTP(r resource) bool {
	for _, s := range list(at(r.Properties, "PolicyDocument", "Statement")) {
		if at(s, "Effect") == "Deny" && at(s, "Condition", "Bool", "aws:SecureTransport") == "false" && strings.HasSuffix(text(at(s, "Action")), `:*"`) {
			return true
		}
		// SNS has no action that stands for all, in the policy of a topic.
		if at(s, "Effect") == "Deny" && at(s, "Condition", "Bool", "aws:SecureTransport") == "false" && at(s, "Action") == "sns:Publish" {
			return true
		}
	}
	return false
}

func TestBucketsArePrivate(t *testing.T) {
	for name, context := range variations {
		for id, b := range synth(t, context).data.of("AWS::S3::Bucket") {
			for _, p := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
				if at(b.Properties, "PublicAccessBlockConfiguration", p) != true {
					t.Errorf("%s: %s: %s is off", name, id, p)
				}
			}
		}
	}
}

func TestBackupIsLockedWhereAsked(t *testing.T) {
	backup := func(name string) resource { return synth(t, variations[name]).data.Resources["BackupDA3807AC"] }
	locked := backup("aws-express").Properties
	if locked["ObjectLockEnabled"] != true || at(locked, "ObjectLockConfiguration", "Rule", "DefaultRetention", "Days") != 30.0 {
		t.Errorf("objectLockDays=30: %s", text(locked["ObjectLockConfiguration"]))
	}
	plain := backup("aws").Properties
	if plain["ObjectLockEnabled"] != nil || at(plain, "VersioningConfiguration", "Status") != "Enabled" {
		t.Errorf("no Object Lock asked for: %s", text(plain))
	}
}

// What is to stay stays, and what is to go goes.
func TestRemoval(t *testing.T) {
	for name, want := range map[string]string{"aws": "Retain", "localstack": "Delete", "aws-serverless": "Delete", "aws-express": "Retain"} {
		s := synth(t, variations[name])
		for id, r := range s.data.Resources {
			switch r.Type {
			case "AWS::KMS::Key", "AWS::S3::Bucket", "AWS::SecretsManager::Secret", "AWS::MSK::Cluster", "AWS::MSK::ServerlessCluster":
				if r.DeletionPolicy != want || r.UpdateReplacePolicy != want {
					t.Errorf("%s: %s: %s, when replaced %s, want %s", name, id, r.DeletionPolicy, r.UpdateReplacePolicy, want)
				}
			}
		}
		if s.protected != s.deployment.TerminationProtection {
			t.Errorf("%s: termination protection %v", name, s.protected)
		}
	}
}

// resources of both stacks.
func (s *synthesized) resources() map[string]resource {
	all := maps.Clone(s.data.Resources)
	maps.Copy(all, s.pipeline.Resources)
	return all
}
