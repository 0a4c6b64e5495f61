package kafkaio

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// assigned is called by franz-go before it fetches partitions that the group gave us.
func (s *Source) assigned(_ context.Context, client *kgo.Client, given map[string][]int32) {
	client.ResumeFetchPartitions(given) // paused may be what an earlier assignment left
	s.s.assign(given)
}

// revoked is called before partitions go to another member, who gets them when it returns:
// their batches must be done and committed by then.
func (s *Source) revoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	s.s.release(gone, false)
}

// lost is called when the group has put us out: another member may read the partitions
// already. Their batches end, so that none of a next assignment runs beside them, and are
// not committed.
func (s *Source) lost(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	s.s.release(gone, true)
}

func (s *scheduler) assign(given map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, numbers := range given {
		for _, n := range numbers {
			id := Partition{topic, n}
			s.parts[id] = &partition{id: id}
		}
	}
	s.changed.Broadcast()
}

// release forgets partitions once none of them is in a batch.
func (s *scheduler) release(gone map[string][]int32, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var leaving []*partition
	for topic, numbers := range gone {
		for _, n := range numbers {
			if p := s.parts[Partition{topic, n}]; p != nil {
				p.leaving, p.lost = true, lost
				leaving = append(leaving, p)
			}
		}
	}
	s.changed.Broadcast()
	for _, p := range leaving {
		for p.taken > 0 {
			s.changed.Wait()
		}
		delete(s.parts, p.id)
	}
}
