package embedded

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// convert makes CloudEvents of a file of the shared data with its own converter.
func convert(t *testing.T, kind, file string) [][]byte {
	t.Helper()
	dir := sharedData(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to run the converter of the shared data")
	}
	out, err := exec.Command(python, filepath.Join(dir, "to_cloudevents.py"), kind, filepath.Join(dir, file)).Output()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(out), []byte("\n"))
}

// January's 27,004 flights and 197 real webhooks (195 distinct), all sent twice, with 100
// malformed lines among them: each event is stored once, each bad line is a dead letter
// with its reason.
func TestRealData(t *testing.T) {
	lines := append(convert(t, "flights", "flights-2013-01.csv.gz"), convert(t, "github", "github-webhooks.ndjson.gz")...)
	bad, reasons := malformed(100)
	distinct := make(map[event.Key]bool)
	for _, l := range lines {
		e, err := event.Parse(l)
		if err != nil {
			t.Fatal(err)
		}
		distinct[e.Key()] = true
	}
	if len(lines) != 27_004+197 || len(distinct) != 27_004+195 {
		t.Fatalf("%d events, %d distinct", len(lines), len(distinct))
	}
	mixed := make([][]byte, 0, len(lines)+len(bad))
	for i, l := range lines {
		if i%(len(lines)/len(bad)) == 0 && len(mixed)-i < len(bad) {
			mixed = append(mixed, bad[len(mixed)-i])
		}
		mixed = append(mixed, l)
	}
	p := start(t, options(t, t.TempDir()))
	produce(t, p, mixed)
	produce(t, p, lines)
	eventually(t, "Kafka is read to its end", func() bool {
		lag, err := p.ConsumerLag(t.Context())
		return err == nil && lag == 0
	})
	eventually(t, "queues are empty", func() bool {
		return depth(t, p, spec.Ingest)+depth(t, p, spec.Process)+depth(t, p, spec.Persist) == 0
	})
	if n := count(t, p, store.Filter{}); n != int64(len(distinct)) {
		t.Errorf("%d events stored, want %d", n, len(distinct))
	}
	for typ, want := range map[string]int64{
		"gov.bts.flight.departed": 26_483, "gov.bts.flight.cancelled": 521, "gov.bts.flight.recorded": 0, "com.github.*": 195,
	} {
		if n := count(t, p, store.Filter{Type: typ}); n != want {
			t.Errorf("%d events of type %s, want %d", n, typ, want)
		}
	}
	checkDeadLetters(t, deadLetters(t, p, "ingest-dlq"), bad, reasons)
	for _, l := range lines[len(lines)-197:] { // the webhooks: nulls, unicode, deep nesting
		checkStored(t, p, l)
	}
	if n, err := p.data.Events.Rebuild(t.Context()); err != nil || n != 0 {
		t.Errorf("%d counters and aggregates differ from a rebuild, %v", n, err)
	}
}
