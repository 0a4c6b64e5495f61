// Package broker is the in-process Kafka broker of the embedded target: franz-go's kfake
// with its data directory. It speaks the real protocol to any client on this machine,
// keeps records, topics and consumer groups over restarts, and loses nothing that it
// acknowledged when the process is killed. It is one broker with one copy of the data.
package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
)

// Options of Start.
type Options struct {
	Dir  string // data directory, made if missing
	Addr string // 127.0.0.1:PORT; port 0 picks a free one. kfake listens on this address only
	// Topics that there are to be, with the partitions that a missing one gets.
	Topics map[string]int32
	// Sync has every write on the disk before it is acknowledged, so that a power cut loses
	// nothing either. Otherwise the operating system writes when it likes, as for Kafka.
	Sync bool
	Log  *slog.Logger // of the broker's troubles; nil: none
}

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	lock    *os.File
	addr    string
	close   sync.Once
}

const (
	metaFile = "meta.json" // kfake's, in every directory that it has written
	lockFile = "LOCK"
)

// maxMessageBytes is the largest batch that the broker takes: the largest event that a
// pipeline can be set to accept, and room for its headers.
const maxMessageBytes = 16 << 20

// Start starts a broker on its data directory. The error is one line: a directory that
// another process has open or that is damaged, a port that is taken.
func Start(ctx context.Context, o Options) (_ *Broker, err error) {
	port, err := loopbackPort(o.Addr)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	b := &Broker{lock: lock}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if err := checkDir(o.Dir); err != nil {
		return nil, err
	}
	if b.cluster, err = startCluster(port, &o); err != nil {
		return nil, err
	}
	b.addr = b.cluster.ListenAddrs()[0]
	return b, b.ensureTopics(ctx, o.Topics)
}

func startCluster(port int, o *Options) (*kfake.Cluster, error) {
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(o.Dir), kfake.BrokerConfigs(map[string]string{
		"message.max.bytes": strconv.Itoa(maxMessageBytes),
	})}
	if o.Sync {
		opts = append(opts, kfake.SyncWrites())
	}
	if o.Log != nil {
		opts = append(opts, kfake.WithLogger(logger{o.Log}))
	}
	cluster, err := kfake.NewCluster(opts...)
	var op *net.OpError
	switch {
	case errors.As(err, &op):
		return nil, fmt.Errorf("kafka broker cannot listen on %s: %w", o.Addr, op.Err)
	case err != nil:
		return nil, fmt.Errorf("kafka data directory %s is damaged: %w", o.Dir, err)
	}
	return cluster, nil
}

// ensureTopics makes the topics by the protocol, at every start: a process killed during
// its very first start can have left a directory without them.
func (b *Broker) ensureTopics(ctx context.Context, topics map[string]int32) error {
	client, err := kafkaio.Dial(ctx, &kafkaio.Config{Brokers: []string{b.addr}})
	if err != nil {
		return err
	}
	defer client.Close()
	for topic, partitions := range topics {
		if _, err := kafkaio.EnsureTopic(ctx, client, topic, partitions); err != nil {
			return err
		}
	}
	return nil
}

// Addr is the bootstrap server.
func (b *Broker) Addr() string { return b.addr }

// Close stops the broker, with its state written to the data directory.
func (b *Broker) Close() error {
	var err error
	b.close.Do(func() {
		if b.cluster != nil {
			b.cluster.Close()
		}
		err = b.lock.Close() // releases it
	})
	return err
}

func loopbackPort(addr string) (int, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, fmt.Errorf("kafka broker address %q is not HOST:PORT", addr)
	}
	if host != "127.0.0.1" && host != "localhost" {
		return 0, fmt.Errorf("kafka broker address %q: the in-process broker listens on 127.0.0.1 only", addr)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("kafka broker address %q has no valid port", addr)
	}
	return int(n), nil
}

// checkDir refuses a directory that kfake would take for an empty one and write over: its
// meta.json is gone, and topics are there.
func checkDir(dir string) error {
	_, err := os.Stat(filepath.Join(dir, metaFile))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("kafka data directory: %w", err)
	}
	for _, e := range entries {
		if e.Name() != lockFile && e.Name() != metaFile+".tmp" {
			return fmt.Errorf("kafka data directory %s is damaged: it has %s but no %s", dir, e.Name(), metaFile)
		}
	}
	return nil
}
