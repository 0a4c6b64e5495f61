package kafkaio

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Replication is how the partitions of a topic stand.
type Replication struct {
	UnderReplicated int64 // fewer replicas in sync than there should be
	Offline         int64 // no leader
}

// ReplicationOf counts the partitions of the topics that lack something. A topic that does
// not exist is an error.
func ReplicationOf(ctx context.Context, client *kgo.Client, topics ...string) (Replication, error) {
	details, err := kadm.NewClient(client).ListTopics(ctx, topics...)
	if err == nil {
		err = details.Error()
	}
	if err != nil {
		return Replication{}, fmt.Errorf("partitions of %v: %w", topics, err)
	}
	var r Replication
	details.EachPartition(func(p kadm.PartitionDetail) { r.count(p) })
	return r, nil
}

func (r *Replication) count(p kadm.PartitionDetail) {
	if p.Leader < 0 {
		r.Offline++
	}
	if len(p.ISR) < len(p.Replicas) {
		r.UnderReplicated++
	}
}

// Health of a topic and of the consumer group that reads it.
type Health struct {
	Lag             int64 // records that the group has not committed
	UnderReplicated int64
	Offline         int64
}

// Watch asks a cluster for its health, over a client that is kept while it works. It is for
// one goroutine.
type Watch struct {
	Config Config
	Group  string
	Topic  string

	client *kgo.Client
}

// Health asks once. After an error the next call connects anew.
func (w *Watch) Health(ctx context.Context) (h Health, err error) {
	if w.client == nil {
		if w.client, err = Dial(ctx, &w.Config); err != nil {
			return h, err
		}
	}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	lags, err := Lag(ctx, w.client, w.Group, w.Topic)
	if err != nil {
		return h, err
	}
	for _, l := range lags {
		h.Lag += l.Lag
	}
	r, err := ReplicationOf(ctx, w.client, w.Topic)
	h.UnderReplicated, h.Offline = r.UnderReplicated, r.Offline
	return h, err
}

// Close ends the connections; the next Health makes new ones.
func (w *Watch) Close() {
	if w.client != nil {
		w.client.Close()
		w.client = nil
	}
}
