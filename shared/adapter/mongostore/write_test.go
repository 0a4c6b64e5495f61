package mongostore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func TestOrderOfKeys(t *testing.T) {
	word := rapid.StringMatching(`[a !é~]{1,3}`)
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event.Event {
			source := strings.ReplaceAll(word.Draw(t, "source"), " ", "-")
			return parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"%s","source":"%s","type":"t"}`, word.Draw(t, "id"), source))
		}), 1, 20).Draw(t, "events")
		sorted := sortedByKey(events)
		keys := make([]string, len(events))
		for i, place := range sorted {
			keys[i] = keyOf(events[place].Key())
		}
		if !slices.IsSorted(keys) {
			t.Fatalf("%q", keys)
		}
		if got, want := len(distinct(events, sorted)), len(slices.Compact(keys)); got != want {
			t.Fatalf("%d distinct events, want %d", got, want)
		}
	})
}

func TestDuplicatesOfARefusedEvent(t *testing.T) {
	one := parse(t, withData("1"))
	two := parse(t, `{"specversion":"1.0","id":"2","source":"/s","type":"t"}`)
	events := []event.Event{one, two, one, two, one}
	refused := errors.New("refused")
	results := make([]store.Result, len(events))
	results[0].Err = refused
	settleDuplicates(events, sortedByKey(events), results)
	want := []store.Result{{Err: refused}, {}, {Err: refused}, {Duplicate: true}, {Err: refused}}
	if !slices.Equal(results, want) {
		t.Errorf("%+v, want %+v", results, want)
	}
}

func TestChunkLimits(t *testing.T) {
	long := strings.Repeat("t.", 4000)
	for name, c := range map[string]struct {
		json string // with the number of the event
		most int
	}{
		"small":      {`{"specversion":"1.0","id":"%d","source":"/s","type":"t"}`, chunkEvents},
		"large data": {`{"specversion":"1.0","id":"%d","source":"/s","type":"t","data":"` + strings.Repeat("x", 1<<20) + `"}`, 12},
		"long types": {`{"specversion":"1.0","id":"%d","source":"/s","type":"` + long + `"}`, chunkBytes / (4 * len(long))},
	} {
		var w chunkWriter
		w.reset(testStored)
		n := 0
		for ; n <= chunkEvents; n++ {
			e := parse(t, fmt.Sprintf(c.json, n))
			full, err := w.add(n, &e, func(string) bool { return true })
			if err != nil {
				t.Fatal(err)
			}
			if full {
				break
			}
		}
		if n > c.most || n < c.most/2 {
			t.Errorf("%s: a chunk of %d events, want about %d", name, n, c.most)
		}
		if err := w.finish().Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
