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
	drainCommits  = 10 * time.Second
)

// commit commits what is done of a batch, and tries until it has, so that a partition
// never runs ahead of its committed offset by more than a batch. It gives up when the group
// has put us out, or 10 s after ctx is done: then nothing of it counts as done, and the
// records come again, to whoever reads them next.
func (s *Source) commit(ctx context.Context, b *batch) {
	var stopping time.Time
	for {
		s.s.dropLost(b)
		offsets := b.offsets()
		if len(offsets) == 0 {
			return
		}
		err := s.tryCommit(context.WithoutCancel(ctx), offsets)
		if err == nil {
			return
		}
		if ctx.Err() != nil && stopping.IsZero() {
			stopping = s.o.Now()
		}
		if putOut(err) || !stopping.IsZero() && s.o.Now().Sub(stopping) > drainCommits {
			s.o.Log.Warn("Kafka offsets are not committed; the records come again", "error", err)
			b.putOut()
			return
		}
		s.o.Log.Warn("Kafka offsets are not committed yet", "error", err)
		time.Sleep(commitPause)
	}
}

// putOut tells errors of a member that the group does not know any more: trying again
// would not help, and would keep franz-go from joining anew.
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

// dropLost undoes what is done of partitions that were lost meanwhile.
func (s *scheduler) dropLost(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range b.parts {
		if b.parts[i].p.lost {
			b.parts[i].done = 0
		}
	}
}
