package kafkaio

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// scheduler holds the fetched records and decides what is in the next batch. All of its
// methods may be called concurrently.
type scheduler struct {
	o       *SourceOptions
	fetcher fetcher

	// A partition of which more bytes than these wait when a fetch brings more is not fetched
	// any more, until it is less: a batch and two fetches, and two fetches. It happens when
	// others are read while it does not get on, since its handler is slow or it pauses after
	// a failure.
	pauseAbove, resumeBelow int

	mu      sync.Mutex
	changed sync.Cond // anything below did
	parts   map[Partition]*partition
	working int       // batches under way
	fetched time.Time // when a poll last returned
}

func newScheduler(o *SourceOptions) *scheduler {
	const twoFetches = 2 * fetchPartitionBytes
	s := &scheduler{o: o, pauseAbove: o.Bytes + twoFetches, resumeBelow: twoFetches, parts: make(map[Partition]*partition)}
	s.changed.L = &s.mu
	return s
}

// wake has everyone who waits look again.
func (s *scheduler) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// next waits for a batch. It is nil when ctx is done.
func (s *scheduler) next(ctx context.Context) *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ctx.Err() == nil {
		b, look := s.take(s.o.Now())
		if b != nil {
			s.working++
			s.resume()
			s.changed.Broadcast()
			return b
		}
		s.wait(look)
	}
	return nil
}

// wait returns after a change, or at a time that is not zero.
func (s *scheduler) wait(until time.Time) {
	if !until.IsZero() {
		timer := time.AfterFunc(until.Sub(s.o.Now()), s.wake)
		defer timer.Stop()
	}
	s.changed.Wait()
}

// take makes a batch of the partitions that wait longest. Where it is too early for one,
// look says when to look again; zero: after a change.
func (s *scheduler) take(now time.Time) (b *batch, look time.Time) {
	var ready []*partition
	for _, p := range s.parts {
		switch {
		case p.idle(now) && len(p.queue) > 0:
			ready = append(ready, p)
		case p.taken == 0 && !p.leaving && len(p.queue) > 0:
			look = earliest(look, p.notBefore)
		}
	}
	if len(ready) == 0 {
		return nil, look
	}
	slices.SortFunc(ready, func(x, y *partition) int {
		return cmp.Or(x.queue[0].at.Compare(y.queue[0].at), cmp.Compare(x.id.Topic, y.id.Topic), cmp.Compare(x.id.Number, y.id.Number))
	})
	if i := slices.IndexFunc(ready, func(p *partition) bool { return p.alone }); i >= 0 {
		return s.fill(ready[i : i+1]), time.Time{}
	}
	if due := ready[0].queue[0].at.Add(s.o.Window); due.After(now) && !s.full(ready) {
		return nil, earliest(look, due)
	}
	return s.fill(ready), time.Time{}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// full says that waiting would not make the batch larger.
func (s *scheduler) full(ready []*partition) bool {
	records, bytes := 0, 0
	for _, p := range ready {
		records += len(p.queue)
		bytes += p.waiting
	}
	return records >= s.o.Records || bytes >= s.o.Bytes
}

// fill takes from the partitions in turn until the batch is full. A record that is larger
// than a batch is one by itself.
func (s *scheduler) fill(ready []*partition) *batch {
	b := &batch{}
	records, bytes := s.o.Records, s.o.Bytes
	for _, p := range ready {
		n, size := p.fit(records, bytes)
		if n == 0 && len(b.parts) == 0 {
			n, size = 1, p.queue[0].size
		}
		if n == 0 {
			break
		}
		p.take(n, size)
		b.parts = append(b.parts, share{p: p})
		records, bytes = records-n, bytes-size
	}
	b.records = make([]*kgo.Record, 0, s.o.Records-records)
	for i := range b.parts {
		start := len(b.records)
		for _, q := range b.parts[i].p.queue[:b.parts[i].p.taken] {
			b.records = append(b.records, q.record)
		}
		b.parts[i].records = b.records[start:len(b.records):len(b.records)]
	}
	return b
}

// settle takes a batch back.
func (s *scheduler) settle(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range b.parts {
		b.parts[i].p.settle(&b.parts[i], s.o)
	}
	s.working--
	s.changed.Broadcast()
}
