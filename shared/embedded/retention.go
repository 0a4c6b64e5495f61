package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
)

// DefaultRetention of the pipeline's own broker. The broker keeps 72 bytes of memory for
// each batch in its log, about 200 MB an hour at 60,000 events/s, and the log itself on
// disk: without an end to it both grow for as long as the process runs.
const DefaultRetention = time.Hour

// How often in a retention it is looked for what may go, and the least time in between.
const (
	trimsPerRetention = 10
	trimAtMostEvery   = time.Millisecond
)

// retention deletes what a consumer group is done with from a topic. Kafka's own
// retention.ms knows no groups: it would delete what has not been read.
type retention struct {
	group, topic string
	age          time.Duration
	now          func() time.Time
	log          *slog.Logger
}

// trim deletes from its own broker until ctx is done. A cluster has its own rules.
func (k *kafkaSource) trim(ctx context.Context) {
	if k.broker == nil {
		return
	}
	tick := time.NewTicker(max(k.keep.age/trimsPerRetention, trimAtMostEvery))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := k.trimOnce(ctx); err != nil && ctx.Err() == nil {
			k.keep.log.Warn("the broker keeps records that it could delete; it is tried again", "error", err)
		}
	}
}

func (k *kafkaSource) trimOnce(ctx context.Context) error {
	client, err := kafkaio.Dial(ctx, &k.config)
	if err != nil {
		return err
	}
	defer client.Close()
	return k.keep.apply(ctx, client)
}

// apply deletes the records that the group has committed and that are older than the
// retention.
func (r *retention) apply(ctx context.Context, client *kgo.Client) error {
	admin := kadm.NewClient(client)
	lags, err := kafkaio.Lag(ctx, client, r.group, r.topic)
	if err != nil {
		return err
	}
	young, err := admin.ListOffsetsAfterMilli(ctx, r.now().Add(-r.age).UnixMilli(), r.topic)
	if err == nil {
		err = young.Error()
	}
	if err != nil {
		return fmt.Errorf("offsets by time of %s: %w", r.topic, err)
	}
	cuts := make(kadm.Offsets)
	for _, l := range lags {
		if y, ok := young.Lookup(l.Topic, l.Partition); ok {
			if at := cut(l, y.Offset); at > 0 {
				cuts.AddOffset(l.Topic, l.Partition, at, -1)
			}
		}
	}
	deleted, err := admin.DeleteRecords(ctx, cuts)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		return fmt.Errorf("delete records of %s: %w", r.topic, err)
	}
	return nil
}

// cut is the offset before which a partition's records may go; young is the first one that
// is not old enough. The partition's last record always stays: the broker finds its place
// by what is in the log, and with an empty one would, after a kill, give the same offsets
// once more to records that the group would then take for committed ones.
func cut(l kafkaio.PartitionLag, young int64) int64 {
	return min(l.Committed, young, l.End-1)
}
