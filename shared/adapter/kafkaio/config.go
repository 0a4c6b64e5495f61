package kafkaio

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config says how to reach a Kafka cluster.
type Config struct {
	Brokers []string // bootstrap servers, HOST:PORT

	TLS    bool   // a CAFile or SASL AWSMSKIAM switches it on too
	CAFile string // PEM file of the authorities to trust; "": the system's

	SASL     string // one of the mechanisms below; "": no authentication
	User     string // with PLAIN and SCRAM
	Password string

	ClientID string       // in the broker's logs and quotas; "": millrace
	Log      *slog.Logger // of the client's own troubles; nil: none
}

// ParseBrokers reads a comma-separated list of HOST:PORT.
func ParseBrokers(list string) ([]string, error) {
	var brokers []string
	for b := range strings.SplitSeq(list, ",") {
		b = strings.TrimSpace(b)
		if b == "" {
			continue
		}
		host, port, err := net.SplitHostPort(b)
		if err != nil {
			return nil, fmt.Errorf("kafka broker %q is not HOST:PORT", b)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
			return nil, fmt.Errorf("kafka broker %q is not HOST:PORT", b)
		}
		brokers = append(brokers, b)
	}
	if len(brokers) == 0 {
		return nil, errors.New("no Kafka broker is given: HOST:PORT, several separated by commas")
	}
	return brokers, nil
}

// Opts are the settings as franz-go takes them. The error is one line that names the
// wrong setting.
func (c *Config) Opts() ([]kgo.Opt, error) {
	brokers, err := ParseBrokers(strings.Join(c.Brokers, ","))
	if err != nil {
		return nil, err
	}
	id := c.ClientID
	if id == "" {
		id = "millrace"
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(brokers...),
		kgo.ClientID(id),
		// After a topic was made or a leader has changed, the first answer can be outdated:
		// the default would wait 5 s before it asks again.
		kgo.MetadataMinAge(500 * time.Millisecond),
	}
	tlsConfig, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	if tlsConfig != nil {
		opts = append(opts, kgo.DialTLSConfig(tlsConfig))
	}
	mechanism, err := c.mechanism()
	if err != nil {
		return nil, err
	}
	if mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	if c.Log != nil {
		opts = append(opts, kgo.WithLogger(newClientLog(c.Log, time.Now)))
	}
	return opts, nil
}

// tlsConfig is nil for a connection in the clear.
func (c *Config) tlsConfig() (*tls.Config, error) {
	if !c.TLS && c.CAFile == "" && c.SASL != AWSMSKIAM {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12} // franz-go sets ServerName for each broker
	if c.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("kafka CA file: %w", err)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("kafka CA file %s has no certificate in PEM form", c.CAFile)
	}
	return t, nil
}
