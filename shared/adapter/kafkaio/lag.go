package kafkaio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// PartitionLag is how far a consumer group is behind in one partition: one line of
// kafka-consumer-groups.
type PartitionLag struct {
	Group     string
	Topic     string
	Partition int32
	Committed int64 // the next offset to read; -1 when the group has committed none
	End       int64 // the offset that the next record will get
	Lag       int64 // records that are not committed yet
	MemberID  string
	Host      string // of the member; "" where none reads the partition
	ClientID  string
}

// Lag returns the lag of every partition of the topics, in order. A group that does not
// exist yet is behind by all records.
func Lag(ctx context.Context, client *kgo.Client, group string, topics ...string) ([]PartitionLag, error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("start offsets of %v: %w", topics, err)
	}
	ends, err := admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("end offsets of %v: %w", topics, err)
	}
	committed, err := admin.FetchOffsets(ctx, group)
	if err == nil {
		err = committed.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("committed offsets of group %s: %w", group, err)
	}
	lags := make([]PartitionLag, 0, len(topics))
	ends.Each(func(end kadm.ListedOffset) {
		l := PartitionLag{Group: group, Topic: end.Topic, Partition: end.Partition, Committed: -1, End: end.Offset}
		start, _ := starts.Lookup(end.Topic, end.Partition)
		next := start.Offset
		if c, ok := committed.Lookup(end.Topic, end.Partition); ok && c.At >= 0 {
			l.Committed, next = c.At, max(c.At, start.Offset)
		}
		l.Lag = max(end.Offset-next, 0)
		lags = append(lags, l)
	})
	slices.SortFunc(lags, func(a, b PartitionLag) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return lags, setMembers(ctx, admin, group, lags)
}

// setMembers fills in who reads each partition.
func setMembers(ctx context.Context, admin *kadm.Client, group string, lags []PartitionLag) error {
	groups, err := admin.DescribeGroups(ctx, group)
	if err == nil {
		err = groups.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("members of group %s: %w", group, err)
	}
	for _, m := range groups[group].Members {
		assigned, ok := m.Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, t := range assigned.Topics {
			for i := range lags {
				if lags[i].Topic == t.Topic && slices.Contains(t.Partitions, lags[i].Partition) {
					lags[i].MemberID, lags[i].Host, lags[i].ClientID = m.MemberID, m.ClientHost, m.ClientID
				}
			}
		}
	}
	return nil
}
