//go:build integration

package mongostore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func asksForAggregates(typ string) bool { return typ != "kind.0" }

// chunkOf fills a chunk as Write does.
func chunkOf(t *testing.T, s *Store, batch []event.Event) *chunkWriter {
	t.Helper()
	w := new(chunkWriter)
	results := make([]store.Result, len(batch))
	if n := s.fill(w, batch, distinct(batch, sortedByKey(batch)), nil, results); n != len(batch) {
		t.Fatalf("the chunk has %d events, want %d", n, len(batch))
	}
	return w
}

// TestIntegrationCrashBetweenSteps: a process ends after any of the three steps of a
// batch, or in the middle of its insert; the same events come again. Counters and
// aggregates are exact at every moment, before and after the batch is recovered.
func TestIntegrationCrashBetweenSteps(t *testing.T) {
	const n = 40
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, crash := range map[string]func(t *testing.T, s *Store, batch []event.Event){
		"after begin": func(t *testing.T, s *Store, batch []event.Event) {
			if err := s.begin(t.Context(), chunkOf(t, s, batch)); err != nil {
				t.Fatal(err)
			}
		},
		"during insert": func(t *testing.T, s *Store, batch []event.Event) {
			w := chunkOf(t, s, batch)
			if err := s.begin(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			part := new(chunkWriter) // the same batch, of which less has arrived
			part.reset(s.now())
			part.batch = w.batch
			for i := range batch[:n/3] {
				if _, err := part.add(i, &batch[i], asksForAggregates); err != nil {
					t.Fatal(err)
				}
			}
			insertAll(t, s, part)
		},
		"after insert": func(t *testing.T, s *Store, batch []event.Event) {
			w := chunkOf(t, s, batch)
			if err := s.begin(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			insertAll(t, s, w)
		},
		"after complete": func(t *testing.T, s *Store, batch []event.Event) {
			w := chunkOf(t, s, batch)
			if err := s.begin(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			insertAll(t, s, w)
			if _, err := s.complete(t.Context(), w.batch, w.delta(batch, nil)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := now
			s := newStore(t, Options{Aggregate: asksForAggregates, Now: func() time.Time { return clock }})
			batch := numbered(t, "a", n)
			crash(t, s, batch)
			exactNow(t.Context(), t, s)
			if n, err := s.Rebuild(t.Context()); err != nil || n != 0 {
				t.Errorf("a rebuild after the crash corrected %d, %v", n, err)
			}
			mustWrite(t, s, batch)
			exactAtRest(t, s, n)
			sameAsByHand(t, s, batch)

			clock = now.Add(recoverAfter + time.Second)
			if err := s.recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			exactAtRest(t, s, n)
			if err := s.fold(t.Context()); err != nil {
				t.Fatal(err)
			}
			exactAtRest(t, s, n)
			sameAsByHand(t, s, batch)
			if left := count(t, s, collBatches, bson.D{}); left != 0 {
				t.Errorf("%d batches are left", left)
			}
		})
	}
}

func insertAll(t *testing.T, s *Store, w *chunkWriter) {
	t.Helper()
	if refused, err := s.insert(t.Context(), w); err != nil || len(refused) > 0 {
		t.Fatalf("%d refused, %v", len(refused), err)
	}
}

// sameAsByHand compares the aggregates with those of all stored events.
func sameAsByHand(t *testing.T, s *Store, events []event.Event) {
	t.Helper()
	d := newDelta()
	for i := range events {
		d.add(&events[i], events[i].Time().UnixMilli(), asksForAggregates(events[i].Type()))
	}
	for k, want := range d.aggregates {
		got, err := s.Aggregate(t.Context(), k.source, k.subject)
		if err != nil || got.Version != want.version || got.LatestID != want.latest.id || !got.First.Equal(fromMillis(want.first)) || len(got.ByType) != len(want.byType) {
			t.Errorf("aggregate of %v: %+v, %v, want %+v", k, got, err, want)
		}
	}
}

// TestIntegrationYoungBatchIsLeftAlone: its process may still be at work.
func TestIntegrationYoungBatchIsLeftAlone(t *testing.T) {
	clock := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := newStore(t, Options{Now: func() time.Time { return clock }})
	batch := numbered(t, "a", 10)
	w := chunkOf(t, s, batch)
	if err := s.begin(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(recoverAfter - time.Second)
	if err := errors.Join(s.recover(t.Context()), s.fold(t.Context())); err != nil {
		t.Fatal(err)
	}
	insertAll(t, s, w)
	exactAtRest(t, s, 10)
	if _, err := s.complete(t.Context(), w.batch, w.delta(batch, nil)); err != nil {
		t.Fatal(err)
	}
	exactAtRest(t, s, 10)
}

// TestIntegrationRecoveredElsewhere: two processes recover the same batch, and the one
// that wrote it wakes up and completes it too.
func TestIntegrationRecoveredElsewhere(t *testing.T) {
	clock := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := newStore(t, Options{Now: func() time.Time { return clock }})
	batch := numbered(t, "a", 10)
	w := chunkOf(t, s, batch)
	if err := s.begin(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	insertAll(t, s, w)
	clock = clock.Add(2 * recoverAfter)
	for range 2 {
		if err := s.recover(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	exactAtRest(t, s, 10)
	complete := func() {
		t.Helper()
		if _, err := s.complete(t.Context(), w.batch, w.delta(batch, nil)); err != nil {
			t.Fatal(err)
		}
		exactAtRest(t, s, 10)
	}
	complete()
	if err := s.fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	complete() // it must not come back
}

// TestIntegrationExactWhileWriting: six writers with overlapping batches, through three
// stores that fold all the time, and readers that at every moment find as many events
// counted as stored.
func TestIntegrationExactWhileWriting(t *testing.T) {
	const writers, distinctEvents = 6, 3000
	o := Options{URI: harness.Mongo(t), Aggregate: asksForAggregates}
	stores := []*Store{newStore(t, o)}
	o.Database = stores[0].db.Name()
	for range 2 {
		stores = append(stores, open(t, o))
	}
	events := numbered(t, "a", distinctEvents)
	var fresh atomic.Int64
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			s, r := stores[w%len(stores)], rand.New(rand.NewPCG(uint64(w), 1))
			mine := make([]event.Event, len(events))
			for i, from := range r.Perm(len(events)) {
				mine[i] = events[from]
			}
			for len(mine) > 0 {
				n := min(len(mine), 1+r.IntN(200))
				fresh.Add(int64(mustWrite(t, s, mine[:n])))
				if err := s.fold(t.Context()); err != nil && !isConflict(err) {
					t.Errorf("fold: %v", err)
				}
				mine = mine[n:]
			}
		})
	}
	for range 2 {
		reading.Go(func() {
			for {
				exactNow(t.Context(), t, stores[0])
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	if fresh.Load() != distinctEvents {
		t.Errorf("%d writes counted as new, want %d", fresh.Load(), distinctEvents)
	}
	exactAtRest(t, stores[1], distinctEvents)
	sameAsByHand(t, stores[2], events)
}

// isConflict: another process has folded the same batches.
func isConflict(err error) bool {
	const codeWriteConflict, codeNoSuchTransaction = 112, 251
	return errors.Is(err, errFolded) || hasCode(err, codeWriteConflict) || hasCode(err, codeNoSuchTransaction)
}

// TestIntegrationFoldSometimes: completed batches do not pile up.
func TestIntegrationFoldSometimes(t *testing.T) {
	s := newStore(t, Options{})
	for i := range 2 * foldEvery {
		mustWrite(t, s, numbered(t, fmt.Sprint(i), 2))
		if n := count(t, s, collBatches, bson.D{}); n > foldEvery {
			t.Fatalf("%d batches after %d", n, i+1)
		}
	}
	if n := count(t, s, collCounters, bson.D{}); n == 0 {
		t.Error("nothing was folded")
	}
	if n := count(t, s, collBatches, bson.D{}); n == 0 {
		t.Fatal("there is nothing left to fold")
	}
	s.foldSometimes(t.Context(), foldAfter)
	if n := count(t, s, collBatches, bson.D{}); n != 0 {
		t.Errorf("%d batches are left after %d bytes", n, foldAfter)
	}
	exactAtRest(t, s, 4*foldEvery)
}

// TestIntegrationRebuild finds every kind of damage, and corrects it while others write.
func TestIntegrationRebuild(t *testing.T) {
	s := newStore(t, Options{Aggregate: asksForAggregates})
	ctx := t.Context()
	events := numbered(t, "a", 600)
	mustWrite(t, s, events)
	if err := s.fold(ctx); err != nil {
		t.Fatal(err)
	}
	damage := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	inc := func(field string) bson.D { return bson.D{{Key: "$inc", Value: bson.D{{Key: field, Value: 5}}}} }
	counters, aggregates := s.collection(collCounters), s.collection(collAggregates)
	_, err := counters.UpdateOne(ctx, bson.D{{Key: "_id.type", Value: "kind.1"}}, inc("count"))
	damage(err)
	_, err = counters.DeleteOne(ctx, bson.D{{Key: "_id.type", Value: "kind.2"}})
	damage(err)
	_, err = counters.InsertOne(ctx, counterKey{1, "nobody", "kind.9"}.document(3))
	damage(err)
	_, err = aggregates.UpdateOne(ctx, bson.D{{Key: "_id", Value: "/s\np1"}}, inc("version"))
	damage(err)
	_, err = aggregates.UpdateOne(ctx, bson.D{{Key: "_id", Value: "/s\np2"}}, inc("types.kind%2E1"))
	damage(err)
	_, err = aggregates.DeleteOne(ctx, bson.D{{Key: "_id", Value: "/s\np3"}})
	damage(err)
	_, err = aggregates.UpdateOne(ctx, bson.D{{Key: "_id", Value: "/s\np4"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "latest.id", Value: "z"}}}})
	damage(err)
	other := (&summary{version: 1, byType: map[string]int64{"kind.1": 1}}).document(subjectKey{"/s", "nobody"})
	_, err = aggregates.InsertOne(ctx, other)
	damage(err)

	stop := make(chan struct{})
	var writing sync.WaitGroup
	var written atomic.Int64
	writing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				written.Add(int64(mustWrite(t, s, numbered(t, fmt.Sprint("b", i), 30))))
				if err := s.fold(context.Background()); err != nil && !isConflict(err) {
					t.Errorf("fold: %v", err)
				}
			}
		}
	})
	differed, err := s.Rebuild(ctx)
	close(stop)
	writing.Wait()
	if err != nil || differed != 8 {
		t.Errorf("a rebuild corrected %d, %v, want 8", differed, err)
	}
	exactAtRest(t, s, int64(len(events))+written.Load())
}

// TestIntegrationTwoRebuilds: of two that find the same difference one corrects it.
func TestIntegrationTwoRebuilds(t *testing.T) {
	s := newStore(t, Options{})
	ctx := t.Context()
	mustWrite(t, s, numbered(t, "a", 100))
	if _, err := s.collection(collCounters).DeleteMany(ctx, bson.D{}); err != nil {
		t.Fatal(err)
	}
	first, err := s.startRebuild(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var wrong differences
	if err := s.snapshot(ctx, func(ctx context.Context) (err error) { wrong, err = s.compare(ctx); return err }); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Rebuild(ctx); err != nil || n != len(wrong.counters) || n == 0 {
		t.Errorf("the second rebuild corrected %d, %v, want %d", n, err, len(wrong.counters))
	}
	if err := s.correct(ctx, first, &wrong); !errors.Is(err, errOtherRebuild) {
		t.Errorf("the first rebuild: %v, want that another has started", err)
	}
	exactAtRest(t, s, 100)
}
