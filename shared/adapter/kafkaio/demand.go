package kafkaio

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What a fetch returns at most, as the broker stores it: per partition and in all. It is
// taken over whole: what franz-go has fetched of a partition that is then paused, it drops
// and fetches again.
const (
	fetchPartitionBytes = 1 << 20
	fetchBytes          = 8 << 20
)

// fetchWait is how long the broker may hold a fetch back when there are no records. A
// partition that is fetched again after a pause waits for it.
const fetchWait = 250 * time.Millisecond

// lookEvery is how often records are looked for that a free worker could take from a
// partition which has none, while enough of other partitions' wait. Each look brings more
// of those too.
const lookEvery = 50 * time.Millisecond

// awaitDemand waits until another fetch is wanted: it is false when ctx is done.
func (s *scheduler) awaitDemand(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ctx.Err() == nil {
		wanted, look := s.demand(s.o.Now())
		if wanted {
			return true
		}
		s.wait(look)
	}
	return false
}

// demand says whether to take over another fetch: to have a batch ready for each worker,
// or for a worker that has nothing to do. Partitions that pause after a failure do not
// count, so that they do not keep the others from being read. Where it is too early, look
// says when to look again; zero: after a change.
func (s *scheduler) demand(now time.Time) (wanted bool, look time.Time) {
	idle := false // a partition could be in another batch
	available, records, bytes := 0, 0, 0
	for _, p := range s.parts {
		if p.leaving || p.notBefore.After(now) {
			continue
		}
		records += len(p.queue) - p.taken
		bytes += p.waiting
		if p.taken == 0 {
			idle = true
			available += len(p.queue)
		}
	}
	if records < s.o.Records*s.o.Concurrency && bytes < s.o.Bytes*s.o.Concurrency {
		return true, time.Time{}
	}
	if idle && s.working < s.o.Concurrency && available < s.o.Records {
		look = s.fetched.Add(lookEvery)
		return !look.After(now), look
	}
	return false, time.Time{}
}

// fetcher is what the scheduler asks to leave out partitions: *kgo.Client. It is called
// under the scheduler's lock, so that a pause and a resume cannot overtake each other.
type fetcher interface {
	PauseFetchPartitions(map[string][]int32) map[string][]int32
	ResumeFetchPartitions(map[string][]int32)
}

// add takes over what a poll returned, and pauses the partitions that have enough.
func (s *scheduler) add(fetches kgo.Fetches) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	s.fetched = now
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := s.parts[Partition{f.Topic, f.Partition}]
		if p == nil || p.leaving {
			return
		}
		enough := p.waiting > s.pauseAbove // before this fetch: one alone can be more
		p.push(f.Records, now)
		if enough && !p.paused {
			p.paused = true
			s.fetcher.PauseFetchPartitions(map[string][]int32{f.Topic: {f.Partition}})
		}
	})
	s.changed.Broadcast()
}

// resume has the paused partitions that have room again fetched.
func (s *scheduler) resume() {
	for _, p := range s.parts {
		if p.paused && p.waiting < s.resumeBelow {
			p.paused = false
			s.fetcher.ResumeFetchPartitions(map[string][]int32{p.id.Topic: {p.id.Number}})
		}
	}
}
