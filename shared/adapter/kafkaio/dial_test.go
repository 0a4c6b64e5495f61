package kafkaio_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
)

// selfSigned makes a certificate for 127.0.0.1 and the file by which a client trusts it.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// fake starts a kfake with settings that the embedded broker does not have.
func fake(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

func mustDial(t *testing.T, c *kafkaio.Config) {
	t.Helper()
	client, err := kafkaio.Dial(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
}

// mustRefuse fails the test unless Dial fails within its time, in one line with all texts
// and without the password.
func mustRefuse(t *testing.T, c *kafkaio.Config, want ...string) {
	t.Helper()
	start := time.Now()
	client, err := kafkaio.Dial(t.Context(), c)
	if err == nil {
		client.Close()
		t.Fatal("no error")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q has no %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") || c.Password != "" && strings.Contains(err.Error(), c.Password) {
		t.Errorf("error %q", err)
	}
	if d := time.Since(start); d > 8*time.Second {
		t.Errorf("it took %s", d)
	}
}

func TestDialWithPasswordAndTLS(t *testing.T) {
	for _, mechanism := range []string{kafkaio.Plain, kafkaio.ScramSHA256, kafkaio.ScramSHA512} {
		t.Run(mechanism, func(t *testing.T) {
			cert, ca := selfSigned(t)
			addr := fake(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "ann", "secret"), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}))
			good := kafkaio.Config{Brokers: []string{addr}, CAFile: ca, SASL: mechanism, User: "ann", Password: "secret"}
			mustDial(t, &good)
			wrong := good
			wrong.Password = "hunter2"
			mustRefuse(t, &wrong, addr, `user "ann"`)
			untrusting := good
			untrusting.CAFile, untrusting.TLS = "", true
			mustRefuse(t, &untrusting, addr, "certificate is not trusted")
		})
	}
}

func TestDialRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	mustRefuse(t, config(closed), "no Kafka at "+closed, "connection refused")
}

// TestDialSilent: something listens and never answers.
func TestDialSilent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	mustRefuse(t, config(l.Addr().String()), "no answer within 5s")
}

func TestDialWithoutTheAuthenticationItNeeds(t *testing.T) {
	addr := fake(t, kfake.EnableSASL(), kfake.Superuser(kafkaio.ScramSHA512, "ann", "secret"))
	mustRefuse(t, config(addr), addr, "SASL")
}

func TestDialEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("ctrl-c")
	cancel(stop)
	if _, err := kafkaio.Dial(ctx, config("127.0.0.1:1")); !errors.Is(err, stop) {
		t.Errorf("err = %v", err)
	}
}

func TestSettingsThatAreWrong(t *testing.T) {
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o644); err != nil {
		t.Fatal(err)
	}
	brokers := []string{"localhost:9092"}
	for want, c := range map[string]kafkaio.Config{
		"no Kafka broker is given":        {},
		`"localhost" is not HOST:PORT`:    {Brokers: []string{"localhost"}},
		`"localhost:x" is not HOST:PORT`:  {Brokers: []string{"localhost:x"}},
		`":9092" is not HOST:PORT`:        {Brokers: []string{":9092"}},
		"CA file":                         {Brokers: brokers, CAFile: "/does/not/exist"},
		"has no certificate in PEM form":  {Brokers: brokers, CAFile: notPEM},
		"no SASL mechanism":               {Brokers: brokers, User: "ann", Password: "secret"},
		`"SCRAM" is not known`:            {Brokers: brokers, SASL: "SCRAM", User: "ann", Password: "secret"},
		"SCRAM-SHA-512 needs a":           {Brokers: brokers, SASL: kafkaio.ScramSHA512, User: "ann"},
		"in the clear":                    {Brokers: brokers, SASL: kafkaio.Plain, User: "ann", Password: "secret"},
		"AWS_MSK_IAM takes no Kafka user": {Brokers: brokers, SASL: kafkaio.AWSMSKIAM, User: "ann"},
	} {
		_, err := c.Opts()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestParseBrokers(t *testing.T) {
	got, err := kafkaio.ParseBrokers(" a:1, [::1]:2 ,")
	if err != nil || strings.Join(got, " ") != "a:1 [::1]:2" {
		t.Errorf("%q, %v", got, err)
	}
}
