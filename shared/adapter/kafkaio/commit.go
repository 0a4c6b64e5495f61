package kafkaio

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	commitTimeout = 5 * time.Second // of one try
	commitPause   = 200 * time.Millisecond
	rejoinWithin  = 5 * time.Second
	drainCommits  = 10 * time.Second
)

// commit commits what is done of a batch, and tries until it has, so that a partition
// never runs ahead of its committed offset by more than a batch. It gives up where the group
// has put us out and franz-go does not get in again, and after ctx is done: then nothing of
// the batch counts as done, and its records come again, to whoever reads them next.
func (s *Source) commit(ctx context.Context, b *batch) {
	var refused, stopping time.Time // since when
	for {
		s.s.undoGone(b, !refused.IsZero())
		offsets := b.offsets()
		if len(offsets) == 0 {
			return
		}
		err := s.tryCommit(context.WithoutCancel(ctx), offsets)
		if err == nil {
			return
		}
		now := s.o.Now()
		if putOut(err) && refused.IsZero() {
			refused = now
		}
		if ctx.Err() != nil && stopping.IsZero() {
			stopping = now
		}
		if over(refused, now, rejoinWithin) || over(stopping, now, drainCommits) {
			s.o.Log.Warn("Kafka offsets are not committed; the records come again", "error", err)
			b.undo()
			return
		}
		s.o.Log.Warn("Kafka offsets are not committed yet", "error", err)
		time.Sleep(commitPause)
	}
}

func over(since, now time.Time, limit time.Duration) bool {
	return !since.IsZero() && now.Sub(since) > limit
}

// putOut tells the errors of a member that the group does not know. franz-go then joins
// again, but not while it waits for a batch to end: so trying has a limit.
func putOut(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.FencedInstanceID)
}

func (s *Source) tryCommit(ctx context.Context, offsets map[string]map[int32]kgo.EpochOffset) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	var failed error
	s.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if failed = err; err != nil {
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					failed = err
				}
			}
		}
	})
	return failed
}

// undoGone undoes what is done of partitions that another member may have by now, and may
// have committed further: those that were lost, and after we had been put out those that
// leave.
func (s *scheduler) undoGone(b *batch, wasOut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range b.parts {
		if p := b.parts[i].p; p.lost || p.leaving && wasOut {
			b.parts[i].done = 0
		}
	}
}
