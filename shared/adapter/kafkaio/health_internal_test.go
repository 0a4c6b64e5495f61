package kafkaio

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

func TestReplicationCounts(t *testing.T) {
	var r Replication
	for _, p := range []kadm.PartitionDetail{
		{Leader: 1, Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}},
		{Leader: 1, Replicas: []int32{1, 2, 3}, ISR: []int32{1, 3}},
		{Leader: -1, Replicas: []int32{1, 2, 3}, ISR: nil},
		{Leader: 0, Replicas: []int32{0}, ISR: []int32{0}}, // broker 0 is a leader
	} {
		r.count(p)
	}
	if r != (Replication{UnderReplicated: 2, Offline: 1}) {
		t.Errorf("got %+v", r)
	}
}
