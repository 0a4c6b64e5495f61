package spec

import (
	"regexp"
	"strings"
	"testing"
)

// What a deployment with the longest allowed name is called, against the rules of AWS
// for names of S3 buckets (3 to 63) and SQS queues (at most 80, letters, digits, - and _).
func TestNamesFitAWS(t *testing.T) {
	env := strings.Repeat("e", maxEnv)
	if b := BucketName(env, ClaimsBucket, "123456789012", "ap-southeast-7"); len(b) > 63 {
		t.Errorf("%s has %d characters", b, len(b))
	}
	queues := []string{Quarantine, KafkaFailed, Pages}
	for _, s := range Stages {
		queues = append(queues, s.Queue(), s.DLQ(), s.Undelivered())
	}
	name := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`) // 64: also the most of a Lambda function
	for _, q := range queues {
		if n := ResourceName(env, q); !name.MatchString(n) {
			t.Errorf("queue %s", n)
		}
	}
	if b := BucketName("prod", ClaimsBucket, "1", "r"); b != "millrace-prod-claims-1-r" {
		t.Errorf("bucket %s", b)
	}
}
