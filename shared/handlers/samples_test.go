package handlers

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
)

const samplesDir = "../../events-samples"

// readSample reads an NDJSON file of events, gzipped or not.
func readSample(t testing.TB, name string) []event.Event {
	t.Helper()
	f, err := os.Open(filepath.Join(samplesDir, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	var events []event.Event
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		e, err := event.Parse(bytes.Clone(lines.Bytes()))
		if err != nil {
			t.Fatalf("%s, line %d: %v", name, len(events)+1, err)
		}
		events = append(events, e)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(events) == 0 {
		t.Fatalf("%s has no events", name)
	}
	return events
}

// Every sample is a valid event whose type has a row, and its handler accepts it. A
// directory with an event.json is named for the event's type.
func TestSamples(t *testing.T) {
	registry, err := New(Settings{})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	check := func(t *testing.T, e event.Event) {
		t.Helper()
		seen++
		h := registry.Find(e.Type())
		if h == nil {
			t.Errorf("type %q has no row in the table", e.Type())
			return
		}
		run := h.Handle
		if h.Effect != nil {
			run = func(ctx context.Context, e event.Event) (Result, error) { return h.Effect(ctx, e, 1) }
		}
		if run == nil {
			return
		}
		r, err := run(context.Background(), e)
		if err == nil {
			_, _, err = r.Output(&e)
		}
		if err != nil {
			t.Errorf("%s: %v", e.ID(), err)
		}
	}
	err = filepath.WalkDir(samplesDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(samplesDir, path)
		switch {
		case d.Name() == "event.json":
			t.Run(name, func(t *testing.T) {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				e := parse(t, string(b))
				if dir := filepath.Base(filepath.Dir(path)); e.Type() != dir {
					t.Errorf("type %q in directory %s", e.Type(), dir)
				}
				check(t, e)
			})
		case strings.HasSuffix(name, ".ndjson"), strings.HasSuffix(name, ".ndjson.gz"):
			t.Run(name, func(t *testing.T) {
				ids := map[event.Key]bool{}
				for _, e := range readSample(t, name) {
					if ids[e.Key()] {
						t.Errorf("%v comes twice", e.Key())
					}
					ids[e.Key()] = true
					check(t, e)
				}
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 842 {
		t.Errorf("only %d samples found", seen)
	}
}
