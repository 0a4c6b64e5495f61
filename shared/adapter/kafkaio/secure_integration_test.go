//go:build integration

package kafkaio_test

import (
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// TestSecureKafka: the client settings against the real broker's TLS and SCRAM.
func TestSecureKafka(t *testing.T) {
	k := harness.OwnSecureKafka(t)
	good := kafkaio.Config{Brokers: []string{k.Addr}, CAFile: k.CAFile, SASL: kafkaio.ScramSHA512, User: k.User, Password: k.Password}
	for _, mechanism := range []string{kafkaio.ScramSHA512, kafkaio.ScramSHA256} {
		c := good
		c.SASL = mechanism
		mustDial(t, &c)
	}
	a := kafkaio.TopicAdmin{Config: good, Topic: "made-over-scram", Settings: spec.TopicSettings{Partitions: 2}}
	if r := ask(t, a.Show); !strings.Contains(r.Create, " --command-config client.properties --create ") {
		t.Errorf("how it is made: %s", r.Create)
	}
	if r := ask(t, a.Init); !r.Created || *r.Is.Partitions != 2 || r.Unread != "" {
		t.Errorf("made: %+v", r)
	}
	for name, test := range map[string]struct {
		change func(*kafkaio.Config)
		want   string
	}{
		"wrong password": {func(c *kafkaio.Config) { c.Password = "hunter2" }, `refuses user "` + k.User + `"`},
		"unknown user":   {func(c *kafkaio.Config) { c.User = "nobody" }, `refuses user "nobody"`},
		"mechanism":      {func(c *kafkaio.Config) { c.SASL = kafkaio.Plain }, "does not offer SASL mechanism PLAIN"},
		"no TLS":         {func(c *kafkaio.Config) { c.CAFile = "" }, "TLS"},
		"untrusted":      {func(c *kafkaio.Config) { c.CAFile, c.TLS = "", true }, "certificate is not trusted"},
		"no SASL":        {func(c *kafkaio.Config) { c.SASL, c.User, c.Password = "", "", "" }, "SASL"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			test.change(&c)
			mustRefuse(t, &c, k.Addr, test.want)
		})
	}
}
