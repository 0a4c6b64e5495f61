package kafkaio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// dialTimeout is how long a cluster may take for its first answer.
const dialTimeout = 5 * time.Second

// Dial connects: it returns a client once a broker has answered and accepted the
// credentials. Otherwise the error is one line that says what is wrong, within 5 s.
func Dial(ctx context.Context, c *Config, opts ...kgo.Opt) (*kgo.Client, error) {
	own, err := c.Opts()
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(own, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client settings: %w", err)
	}
	pingCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := ping(pingCtx, client); err != nil {
		client.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("no Kafka at %s: %w", strings.Join(c.Brokers, ","), c.explain(err))
	}
	return client, nil
}

// ping returns nil when a broker answers. franz-go's own waits 10 s for a broker that takes
// the connection and says nothing, whatever ctx says.
func ping(ctx context.Context, client *kgo.Client) error {
	answer := make(chan error, 1)
	go func() { answer <- client.Ping(ctx) }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// explained is an error with what to look at first. It is one line.
type explained struct {
	hint string
	err  error
}

func (e *explained) Error() string {
	return e.hint + " (" + strings.ReplaceAll(e.err.Error(), "\n", " ") + ")"
}

func (e *explained) Unwrap() error { return e.err }

// explain adds a hint to the errors whose text does not say what to change.
func (c *Config) explain(err error) error {
	hint := func(format string, args ...any) error { return &explained{fmt.Sprintf(format, args...), err} }
	var (
		notTLS    tls.RecordHeaderError
		untrusted *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		noTLS     *kgo.ErrFirstReadEOF
	)
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return hint("it refuses user %q or the password", c.User)
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return hint("it does not offer SASL mechanism %s", c.SASL)
	case errors.As(err, &notTLS):
		return hint("it does not speak TLS: switch TLS off, or use the port of its TLS listener")
	case errors.As(err, &untrusted), errors.As(err, &authority):
		return hint("its certificate is not trusted: is this the right CA file and host name?")
	case errors.As(err, &noTLS):
		return err // franz-go's own text is a hint
	case errors.Is(err, io.EOF) && c.SASL != "":
		return hint("it closed the connection during authentication: are user %q, the password and the mechanism %s right?", c.User, c.SASL)
	case errors.Is(err, context.DeadlineExceeded):
		return hint("no answer within %s: are address, port and TLS right?", dialTimeout)
	}
	return err
}
