package harness

import (
	"context"
	"testing"

	"github.com/millrace-pipeline/millrace/localstack/host"
)

// SecureKafka is a broker that wants TLS and SASL.
type SecureKafka struct {
	Addr     string // bootstrap server with TLS and SASL: SCRAM-SHA-512 or SCRAM-SHA-256
	CAFile   string // PEM file of the authority that signed the broker's certificate
	User     string
	Password string
}

// OwnSecureKafka starts a Kafka with TLS and SASL for this test alone. It runs in host mode
// only. It ends with the test.
func OwnSecureKafka(t testing.TB) SecureKafka {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	dir, err := RunDir("kafka")
	if err != nil {
		t.Fatal(err)
	}
	secure := SecureKafka{User: "millrace", Password: "correct horse"}
	k, err := host.NewKafka(host.KafkaOptions{Dir: dir, Users: map[string]string{secure.User: secure.Password}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := startHost(ctx, k.Server, k.SecureAddr)
	if err != nil {
		missing(t, kafkaKind, err)
	}
	discardWith(t, s)
	secure.Addr, secure.CAFile = s.Addr, k.CAFile()
	return secure
}
