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
	s.s.forget(s.s.leave(gone, false))
}

// lost is called when the group has put us out: another member may read the partitions
// already. Their batches end, so that none of a next assignment runs beside them, and are
// not committed.
func (s *Source) lost(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	leaving := s.s.leave(gone, true)
	s.o.Log.Warn("the Kafka group has put this member out; it joins again", "group", s.o.Group)
	s.s.forget(leaving)
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

// leave lets no further batch take from partitions.
func (s *scheduler) leave(gone map[string][]int32, lost bool) (leaving []*partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, numbers := range gone {
		for _, n := range numbers {
			if p := s.parts[Partition{topic, n}]; p != nil {
				p.leaving, p.lost = true, lost
				leaving = append(leaving, p)
			}
		}
	}
	return leaving
}

// forget removes partitions that leave, once none of them is in a batch.
func (s *scheduler) forget(leaving []*partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range leaving {
		for p.taken > 0 {
			s.changed.Wait()
		}
		delete(s.parts, p.id)
	}
	s.changed.Broadcast()
}
