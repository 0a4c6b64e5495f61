package mongostore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

const opWrite = "store write"

// Write implements store.Writer. The events go in the order of their keys, so that
// writers with the same events meet them in the same order, in chunks of some thousand.
// A chunk that fails leaves the others as they are.
func (s *Store) Write(ctx context.Context, events []event.Event) ([]store.Result, error) {
	if len(events) == 0 {
		return nil, nil
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	w := s.writer()
	defer s.release(w)
	results := make([]store.Result, len(events))
	sorted := sortedByKey(events)
	todo := distinct(events, sorted)
	var first error
	written := false
	for len(todo) > 0 {
		n, err := s.writeChunk(ctx, w, events, todo, results)
		if err != nil {
			err = failed(err, opWrite)
			for _, place := range todo[:n] {
				results[place] = store.Result{Err: err}
			}
			if first == nil {
				first = err
			}
		}
		written = written || err == nil
		todo = todo[n:]
	}
	if !written {
		return nil, first
	}
	settleDuplicates(events, sorted, results)
	return results, nil
}

func (s *Store) writer() *chunkWriter {
	if w, ok := s.writers.Get().(*chunkWriter); ok {
		return w
	}
	return new(chunkWriter)
}

func (s *Store) release(w *chunkWriter) {
	w.release()
	s.writers.Put(w)
}

// sortedByKey are the places of the events in the order of their keys, those of one key
// in the order of the batch.
func sortedByKey(events []event.Event) []int {
	places := make([]int, len(events))
	for i := range places {
		places[i] = i
	}
	slices.SortFunc(places, func(a, b int) int { return cmp.Or(compareKeys(&events[a], &events[b]), cmp.Compare(a, b)) })
	return places
}

// compareKeys orders events as MongoDB orders their keys.
func compareKeys(a, b *event.Event) int {
	return cmp.Or(strings.Compare(a.ID(), b.ID()), strings.Compare(a.Source(), b.Source()))
}

// distinct are the places of the first event of each key.
func distinct(events []event.Event, sorted []int) []int {
	return slices.CompactFunc(slices.Clone(sorted), func(a, b int) bool { return compareKeys(&events[a], &events[b]) == 0 })
}

// settleDuplicates gives every further event of a key what the first got: it is a
// duplicate if that is stored.
func settleDuplicates(events []event.Event, sorted []int, results []store.Result) {
	for i, place := range sorted[1:] {
		if before := sorted[i]; compareKeys(&events[before], &events[place]) == 0 {
			err := results[before].Err
			results[place] = store.Result{Duplicate: err == nil, Err: err}
		}
	}
}

// writeChunk writes the first of the events in todo, distinct ones in the order of their
// keys, and returns how many they are.
func (s *Store) writeChunk(ctx context.Context, w *chunkWriter, events []event.Event, todo []int, results []store.Result) (n int, err error) {
	known := keySet{}
	if s.redelivered.Load() {
		todo = todo[:min(len(todo), chunkEvents)]
		if known, err = s.stored(ctx, events, todo); err != nil {
			return len(todo), err
		}
	}
	n = s.fill(w, events, todo, known, results)
	if len(w.places) > 0 {
		if err = s.begin(ctx, w); err != nil {
			return n, err
		}
		if err = s.insertAndCount(ctx, w, events, results); err != nil {
			return n, err
		}
	}
	s.noteDuplicates(todo[:n], results)
	s.markStored(ctx, events, todo[:n])
	return n, nil
}

// fill takes events into the chunk until it is full, and returns how many of todo it has
// dealt with.
func (s *Store) fill(w *chunkWriter, events []event.Event, todo []int, known keySet, results []store.Result) int {
	w.reset(s.now())
	for i, place := range todo {
		e := &events[place]
		if known.has(e.Key()) {
			results[place].Duplicate = true
			continue
		}
		full, err := w.add(place, e, s.aggregate)
		if full {
			return i
		}
		results[place].Err = err
	}
	return len(todo)
}

// noteDuplicates remembers whether a good part of a chunk was there already. The next one
// is then first looked up, which costs a known event a tenth of what a refused insert does.
func (s *Store) noteDuplicates(places []int, results []store.Result) {
	duplicates := 0
	for _, place := range places {
		if results[place].Duplicate {
			duplicates++
		}
	}
	s.redelivered.Store(duplicates > len(places)/4)
}

// insertAndCount is steps 2 and 3 of a batch (batch.go), and sets the results of its
// events. An error means that nothing is known of them.
func (s *Store) insertAndCount(ctx context.Context, w *chunkWriter, events []event.Event, results []store.Result) error {
	refused, err := s.insert(ctx, w)
	if err != nil {
		return err
	}
	certain := true
	indexes := make([]int, len(refused))
	for i, r := range refused {
		indexes[i] = r.Index
		result := resultOf(&r)
		results[w.places[r.Index]] = result
		certain = certain && (result.Duplicate || fault.KindOf(result.Err) == fault.Permanent)
	}
	if certain {
		slices.Sort(indexes)
		if size, err := s.complete(ctx, w.batch, w.delta(events, indexes)); err == nil {
			s.foldSometimes(ctx, size)
		}
	}
	return nil
}

// insert is step 2: the documents that were not inserted, and why.
func (s *Store) insert(ctx context.Context, w *chunkWriter) ([]mongo.WriteError, error) {
	err := s.db.RunCommand(ctx, w.finish()).Err()
	var e mongo.WriteException
	if errors.As(err, &e) && e.WriteConcernError == nil {
		return e.WriteErrors, nil
	}
	return nil, err
}

// resultOf a document that was not inserted.
func resultOf(e *mongo.WriteError) store.Result {
	if e.Code == codeDuplicateKey {
		fields := fieldNames(e.Raw.Lookup("keyPattern"))
		if slices.Equal(fields, []string{"_id"}) {
			return store.Result{Duplicate: true}
		}
		return store.Result{Err: rejected(fmt.Sprintf("another event has the same values in the unique index on %s", strings.Join(fields, ", ")), e.Code, opWrite)}
	}
	if meaning, ok := rejections[e.Code]; ok {
		return store.Result{Err: rejected(meaning, e.Code, opWrite)}
	}
	return store.Result{Err: failed(e, opWrite)}
}

// fieldNames of a document.
func fieldNames(v bson.RawValue) []string {
	doc, ok := v.DocumentOK()
	if !ok {
		return nil
	}
	elements, err := doc.Elements()
	if err != nil {
		return nil
	}
	names := make([]string, len(elements))
	for i, e := range elements {
		names[i] = e.Key()
	}
	return names
}
