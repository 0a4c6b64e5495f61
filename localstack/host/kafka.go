package host

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// KafkaOptions says how to run a Kafka broker.
type KafkaOptions struct {
	Dir    string // its run directory, made if missing
	Heap   string // Java's -Xmx; "" is 512m
	Detach bool   // let it outlive this process

	// Users to create when the data directory is formatted, by name, with their passwords
	// (SCRAM-SHA-512 and SCRAM-SHA-256). With any, the broker has a second listener with
	// TLS and SASL, and makes its own certificate.
	Users map[string]string
}

// Kafka is an Apache Kafka broker of one node (KRaft).
type Kafka struct {
	*Server
	heap  string
	users map[string]string
}

// NewKafka describes a broker; Start runs it.
func NewKafka(o KafkaOptions) (*Kafka, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	k := &Kafka{Server: &Server{name: "kafka", dir: dir, detach: o.Detach, grace: stopTimeout}, heap: o.Heap, users: o.Users}
	if k.heap == "" {
		k.heap = "512m"
	}
	k.prepare = k.command
	k.ready = func(ctx context.Context) error { return KafkaReady(ctx, k.Addr()) }
	return k, nil
}

// Addr is the bootstrap server without TLS and authentication; "" before the first Start.
func (k *Kafka) Addr() string { return keptAddr(k.dir, 0) }

// SecureAddr is the bootstrap server with TLS and SASL; "" where the broker has no users.
func (k *Kafka) SecureAddr() string { return keptAddr(k.dir, 2) }

// CAFile is the certificate (PEM) by which a client trusts SecureAddr.
func (k *Kafka) CAFile() string { return filepath.Join(k.dir, caPEM) }

// command makes the run directory ready and returns the broker's command line.
func (k *Kafka) command(ctx context.Context) (*exec.Cmd, error) {
	java, err := findJava(ctx)
	if err != nil {
		return nil, err
	}
	classpath, err := kafkaClasspath(ctx)
	if err != nil {
		return nil, err
	}
	listeners := 2 // plain, controller
	if len(k.users) > 0 {
		listeners = 3
	}
	ports, err := keptPorts(k.dir, listeners)
	if err != nil {
		return nil, err
	}
	properties := filepath.Join(k.dir, "server.properties")
	if err := os.WriteFile(properties, []byte(serverProperties(k.dir, ports)), 0o644); err != nil {
		return nil, err
	}
	jvm := []string{java, "-cp", classpath, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"}
	if !isDir(filepath.Join(k.dir, "data")) {
		if err := writeCertificates(k.dir); err != nil {
			return nil, err
		}
		if err := format(ctx, jvm, k.dir, properties, k.users); err != nil {
			return nil, err
		}
	}
	return exec.Command(jvm[0], append(jvm[1:], "-Xmx"+k.heap, "kafka.Kafka", properties)...), nil
}

// format makes the data directory, as `kafka-storage.sh format --standalone` does.
func format(ctx context.Context, jvm []string, dir, properties string, users map[string]string) error {
	args := append(jvm[1:len(jvm):len(jvm)], "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool",
		"format", "--standalone", "--cluster-id", clusterID(), "--config", properties)
	for name, password := range users {
		for _, mechanism := range []string{"SCRAM-SHA-512", "SCRAM-SHA-256"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, name, password))
		}
	}
	if err := run(ctx, dir, jvm[0], args...); err != nil {
		return errors.Join(fmt.Errorf("format Kafka's data directory: %w", err), os.RemoveAll(filepath.Join(dir, "data")))
	}
	return nil
}

// clusterID is a random id in Kafka's form: 16 bytes in URL-safe base64, 22 characters.
func clusterID() string {
	var id [16]byte
	rand.Read(id[:])
	id[0] = id[0]&0x7f | 0x40 // the form must not begin with "-": the tool takes it for a flag
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// KafkaReady returns nil once the broker at addr serves: its metadata has a controller and
// the broker itself. It tries once: call it through Poll.
func KafkaReady(ctx context.Context, addr string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err // without franz-go's retries, while nothing listens
	}
	_ = conn.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return err
	}
	defer client.Close()
	meta, err := kadm.NewClient(client).BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	if len(meta.Brokers) == 0 || meta.Controller < 0 {
		return errors.New("the broker is not registered with its controller yet")
	}
	return nil
}
