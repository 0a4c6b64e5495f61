package kafkaio

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSchedulerProperties drives a scheduler with random fetches, batches, outcomes,
// pauses and rebalances.
func TestSchedulerProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"fetch":   w.fetch,
			"batch":   w.batch,
			"outcome": w.outcome,
			"wait": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond)
			},
			"rebalance": w.rebalance,
			"":          w.check,
		})
		w.finish(t)
	})
}

// world is a topic, a scheduler that reads it, and what has become of the records.
type world struct {
	s       *scheduler
	b       *broker
	now     time.Time
	flying  []*batch
	fetchAt map[int32]int64 // the next offset that a fetch returns
	done    map[int32]int64 // committed
	whole   map[int32]bool  // the partition's last batch failed as a whole
}

const (
	worldPartitions, worldEnd = 3, 200
	maxFetched                = 40 * 200 // bytes: 40 records
)

func newWorld(t *rapid.T) *world {
	w := &world{now: time.Unix(1e9, 0), fetchAt: map[int32]int64{}, done: map[int32]int64{}, whole: map[int32]bool{}}
	w.s, w.b = testScheduler(SourceOptions{
		Records:     rapid.IntRange(1, 20).Draw(t, "records"),
		Bytes:       rapid.IntRange(100, 5000).Draw(t, "bytes"),
		Window:      time.Duration(rapid.IntRange(0, 1000).Draw(t, "window")) * time.Millisecond,
		Concurrency: rapid.IntRange(1, 4).Draw(t, "concurrency"),
		Bisect:      rapid.Bool().Draw(t, "bisect"),
		Now:         func() time.Time { return w.now },
	}, 0, 1, 2)
	w.s.resumeBelow = rapid.IntRange(1, 2000).Draw(t, "resume")
	w.s.pauseAbove = w.s.resumeBelow + rapid.IntRange(0, 2000).Draw(t, "pause")
	return w
}

func (w *world) partition(t *rapid.T) int32 {
	return rapid.Int32Range(0, worldPartitions-1).Draw(t, "partition")
}

func (w *world) fetch(t *rapid.T) {
	p := w.partition(t)
	n := min(rapid.Int64Range(1, 40).Draw(t, "n"), worldEnd-w.fetchAt[p])
	if wanted, _ := w.s.demand(w.now); n == 0 || !wanted || w.b.paused[Partition{"t", p}] {
		return
	}
	w.s.add(fetched(p, w.fetchAt[p], int(n)))
	w.fetchAt[p] += n
}

func (w *world) batch(t *rapid.T) {
	if len(w.flying) == w.s.o.Concurrency {
		return
	}
	if b, _ := w.s.take(w.now); b != nil {
		w.begin(t, b)
	}
}

func (w *world) begin(t *rapid.T, b *batch) {
	w.s.working++
	w.s.resume()
	if len(b.records) == 0 || len(b.records) > w.s.o.Records {
		t.Fatalf("%d records in a batch", len(b.records))
	}
	size := 0
	for _, r := range b.records {
		size += payloadSize(r)
	}
	if size > w.s.o.Bytes && len(b.records) > 1 {
		t.Fatalf("%d bytes in a batch of %d records", size, len(b.records))
	}
	for _, s := range b.parts {
		id := s.p.id.Number
		for _, other := range w.flying {
			if slices.ContainsFunc(other.parts, func(o share) bool { return o.p.id.Number == id }) {
				t.Fatalf("partition %d is in two batches", id)
			}
		}
		for i, r := range s.records {
			if r.Partition != id || r.Offset != w.done[id]+int64(i) {
				t.Fatalf("offset %d of partition %d, want %d", r.Offset, id, w.done[id]+int64(i))
			}
		}
		if w.whole[id] && len(b.parts) > 1 {
			t.Fatalf("partition %d shares a batch after it failed as a whole", id)
		}
	}
	w.flying = append(w.flying, b)
}

func (w *world) outcome(t *rapid.T) {
	if len(w.flying) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.flying)-1).Draw(t, "batch")
	var err error
	failed := map[Partition]int64{}
	switch rapid.SampledFrom([]string{"ok", "err", "partial"}).Draw(t, "outcome") {
	case "err":
		err = errors.New("failed")
	case "partial":
		for _, s := range w.flying[i].parts {
			if rapid.Bool().Draw(t, "bad") {
				failed[s.p.id] = rapid.SampledFrom(s.records).Draw(t, "record").Offset
			}
		}
	}
	w.end(i, failed, err)
}

func (w *world) end(i int, failed map[Partition]int64, err error) {
	b := w.flying[i]
	w.flying = slices.Delete(w.flying, i, i+1)
	b.judge(failed, err)
	for _, s := range b.parts {
		w.whole[s.p.id.Number] = err != nil
	}
	for p, o := range b.offsets()["t"] {
		w.done[p] = o.Offset
	}
	w.s.settle(b)
}

// rebalance takes a partition away and gives it back: it is read from its committed offset.
func (w *world) rebalance(t *rapid.T) {
	p := w.partition(t)
	for i := len(w.flying) - 1; i >= 0; i-- {
		if slices.ContainsFunc(w.flying[i].parts, func(s share) bool { return s.p.id.Number == p }) {
			w.end(i, nil, nil)
		}
	}
	w.s.forget(w.s.leave(map[string][]int32{"t": {p}}, false))
	w.b.paused[Partition{"t", p}] = false
	w.s.assign(map[string][]int32{"t": {p}})
	w.fetchAt[p], w.whole[p] = w.done[p], false
}

func (w *world) check(t *rapid.T) {
	for id, p := range w.s.parts {
		if p.paused != w.b.paused[id] {
			t.Fatalf("partition %v: paused %v here, %v at the broker", id, p.paused, w.b.paused[id])
		}
		waiting := 0
		for _, q := range p.queue[p.taken:] {
			waiting += q.size
		}
		if waiting != p.waiting {
			t.Fatalf("partition %v counts %d bytes that wait, of %d", id, p.waiting, waiting)
		}
		if limit := w.s.pauseAbove + 2*maxFetched; waiting > limit {
			t.Fatalf("partition %v holds %d bytes", id, waiting)
		}
	}
}

// finish lets everything succeed: then all records must come through.
func (w *world) finish(t *rapid.T) {
	for range 10_000 {
		for len(w.flying) > 0 {
			w.end(0, nil, nil)
		}
		w.now = w.now.Add(time.Minute) // past windows and pauses
		if b, _ := w.s.take(w.now); b != nil {
			w.begin(t, b)
			continue
		}
		if wanted, _ := w.s.demand(w.now); !wanted {
			t.Fatal("nothing to do, and no records wanted")
		}
		before := fmt.Sprint(w.fetchAt)
		for p := range int32(worldPartitions) {
			if n := worldEnd - w.fetchAt[p]; n > 0 && !w.b.paused[Partition{"t", p}] {
				w.s.add(fetched(p, w.fetchAt[p], int(min(n, 30))))
				w.fetchAt[p] += min(n, 30)
			}
		}
		if fmt.Sprint(w.fetchAt) == before {
			break
		}
	}
	for p := range int32(worldPartitions) {
		if w.done[p] != worldEnd {
			t.Fatalf("partition %d ends at %d of %d", p, w.done[p], worldEnd)
		}
	}
}
