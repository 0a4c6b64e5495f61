package kafkaio

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// batch is what a handler has got.
type batch struct {
	records []*kgo.Record
	parts   []share
}

// share is one partition's part of a batch.
type share struct {
	p       *partition
	records []*kgo.Record
	done    int  // how many of them, from the first on, the handler is done with
	whole   bool // the batch failed as a whole
}

// judge sets what is done of each share. It returns the reason why the batch counts as
// failed as a whole, when it does.
func (b *batch) judge(failed map[Partition]int64, err error) error {
	if err == nil {
		err = b.checkFailed(failed)
	}
	for i := range b.parts {
		s := &b.parts[i]
		switch offset, bad := failed[s.p.id]; {
		case err != nil:
			s.whole = true
		case !bad:
			s.done = len(s.records)
		default:
			for s.done < len(s.records) && s.records[s.done].Offset < offset {
				s.done++
			}
		}
	}
	return err
}

// checkFailed refuses an answer that names what is not in the batch: Lambda then counts
// all of it as failed, since a handler that errs there may err elsewhere.
func (b *batch) checkFailed(failed map[Partition]int64) error {
	known := 0
	for _, s := range b.parts {
		offset, ok := failed[s.p.id]
		if !ok {
			continue
		}
		known++
		if first, last := s.records[0].Offset, s.records[len(s.records)-1].Offset; offset < first || offset > last {
			return fmt.Errorf("the handler reports offset %d of %s-%d, which is not in the batch (%d to %d)",
				offset, s.p.id.Topic, s.p.id.Number, first, last)
		}
	}
	if known < len(failed) {
		return fmt.Errorf("the handler reports %d partitions that are not in the batch", len(failed)-known)
	}
	return nil
}

// offsets are what may be committed: for each share the offset after the last record done.
func (b *batch) offsets() map[string]map[int32]kgo.EpochOffset {
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	for _, s := range b.parts {
		if s.done == 0 {
			continue
		}
		last := s.records[s.done-1]
		if offsets[last.Topic] == nil {
			offsets[last.Topic] = make(map[int32]kgo.EpochOffset)
		}
		offsets[last.Topic][last.Partition] = kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}
	}
	return offsets
}

// undo makes undone all that is done.
func (b *batch) undo() {
	for i := range b.parts {
		b.parts[i].done = 0
	}
}
