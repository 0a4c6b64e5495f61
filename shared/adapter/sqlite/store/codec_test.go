package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
)

func TestFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f frames
		for range 2 { // the second time in memory used before
			raws := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 1, 5).Draw(t, "raws")
			var sealed [][]byte
			for _, raw := range raws {
				sealed = append(sealed, f.seal(raw))
			}
			for i, frame := range sealed {
				if got, err := unseal(frame); err != nil || !bytes.Equal(got, raws[i]) {
					t.Fatalf("frame %d: %x, %v; want %x", i, got, err, raws[i])
				}
				bit := rapid.IntRange(0, 8*len(frame)-1).Draw(t, "bit")
				damaged := slices.Clone(frame)
				damaged[bit/8] ^= 1 << (bit % 8)
				if _, err := unseal(damaged); err == nil {
					t.Fatalf("frame %x: damage of bit %d was not noticed", frame, bit)
				}
				if _, err := unseal(frame[:rapid.IntRange(0, len(frame)-1).Draw(t, "cut")]); err == nil {
					t.Fatal("a frame cut short was not noticed")
				}
			}
			f.reset()
		}
	})
}

func TestColumns(t *testing.T) {
	var w columnWriter // used again, as Write does
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "events")
		word := rapid.SampledFrom([]string{"", "a", "b.c", "ü", "long-long-long"})
		var events []event.Event
		var times []int64
		w.reset()
		for i := range n {
			subject := word.Draw(t, "subject")
			if subject != "" {
				subject = fmt.Sprintf(`,"subject":"%s%d"`, subject, rapid.IntRange(0, 300).Draw(t, "number"))
			}
			e, err := event.Parse(fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"/s%s","type":"t%s"%s}`,
				i, word.Draw(t, "source"), word.Draw(t, "type"), subject))
			if err != nil {
				t.Fatal(err)
			}
			ms := rapid.Int64().Draw(t, "time")
			events, times = append(events, e), append(times, ms)
			w.add(&e, ms)
		}
		b := w.appendTo(nil)
		cols, err := parseColumns(b)
		if err != nil || cols.count != n {
			t.Fatalf("%d of %d events: %v", cols.count, n, err)
		}
		gotTimes, err := cols.times()
		if err != nil || !slices.Equal(gotTimes, times) {
			t.Fatalf("times %v, %v; want %v", gotTimes, err, times)
		}
		offsets, err := cols.offsets()
		if err != nil {
			t.Fatal(err)
		}
		for a := range numAttributes {
			col, err := cols.column(a)
			if err != nil {
				t.Fatal(err)
			}
			for i := range events {
				if got, want := col.values[col.codes[i]], valueOf(&events[i], a); got != want {
					t.Fatalf("attribute %d of event %d: %q, want %q", a, i, got, want)
				}
			}
		}
		for i := range events {
			from, to, err := cols.span(i)
			if err != nil || from != offsets[i] || to != offsets[i+1] || to-from != len(events[i].JSON()) {
				t.Fatalf("event %d lies at [%d, %d), %v", i, from, to, err)
			}
		}
	})
}

// FuzzColumns: bytes that are no columns give an error, never a panic.
func FuzzColumns(f *testing.F) {
	var w columnWriter
	w.reset()
	e, err := event.Parse([]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"x"}`))
	if err != nil {
		f.Fatal(err)
	}
	w.add(&e, 1<<40)
	w.add(&e, -1)
	f.Add(w.appendTo(nil))
	f.Add([]byte{})
	f.Add(binary.AppendUvarint(nil, 1<<60))
	f.Fuzz(func(t *testing.T, b []byte) {
		cols, err := parseColumns(b)
		if err != nil {
			return
		}
		_, _ = cols.times()
		_, _ = cols.offsets()
		_, _, _ = cols.span(0)
		for a := range numAttributes {
			if col, err := cols.column(a); err == nil && len(col.codes) != cols.count {
				t.Errorf("%d codes of %d events", len(col.codes), cols.count)
			}
		}
	})
}

func TestPrefixes(t *testing.T) {
	for typ, want := range map[string][]string{
		"":                   nil,
		"push":               nil,
		"com.github.push":    {"com.", "com.github."},
		"a..b.":              {"a.", "a..", "a..b."},
		"1.2.3.4.5.6.7.8.9.": {"1.", "1.2.", "1.2.3.", "1.2.3.4.", "1.2.3.4.5.", "1.2.3.4.5.6.", "1.2.3.4.5.6.7.", "1.2.3.4.5.6.7.8."},
	} {
		if got := prefixes(typ); !slices.Equal(got, want) {
			t.Errorf("prefixes(%q) = %q, want %q", typ, got, want)
		}
	}
}
