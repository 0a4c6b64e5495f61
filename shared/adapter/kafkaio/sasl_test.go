package kafkaio

import (
	"bytes"
	"testing"
)

// TestIAMSignsWithTheEnvironmentsCredentials: MSK itself is not here; what is sent to it is
// (aws-msk-iam-auth, "Details").
func TestIAMSignsWithTheEnvironmentsCredentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not a secret")
	t.Setenv("AWS_SESSION_TOKEN", "token")
	t.Setenv("AWS_REGION", "eu-central-1")
	c := Config{Brokers: []string{"b-1.cluster.kafka.eu-central-1.amazonaws.com:9098"}, SASL: AWSMSKIAM}
	if config, err := c.tlsConfig(); err != nil || config == nil {
		t.Fatalf("no TLS (%v)", err)
	}
	m, err := c.mechanism()
	if err != nil || m.Name() != "AWS_MSK_IAM" {
		t.Fatal(m, err)
	}
	_, message, err := m.Authenticate(t.Context(), c.Brokers[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"AKIDTEST/", "eu-central-1/kafka-cluster/aws4_request", `"x-amz-security-token":"token"`} {
		if !bytes.Contains(message, []byte(want)) {
			t.Errorf("no %q in %s", want, message)
		}
	}
	if bytes.Contains(message, []byte("not a secret")) {
		t.Errorf("the secret key is in %s", message)
	}
}
