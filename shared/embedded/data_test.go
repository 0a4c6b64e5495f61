package embedded

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// januaryFlights are the flights of the sample, or of the whole month where the shared
// data is there, as structured CloudEvents.
func flights(t *testing.T) [][]byte {
	t.Helper()
	f, err := os.Open("../../events-samples/flights/2013-01-01.ndjson.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	for s := bufio.NewScanner(z); s.Scan(); {
		lines = append(lines, bytes.Clone(s.Bytes()))
	}
	if len(lines) != 842 {
		t.Fatalf("%d flights in the sample", len(lines))
	}
	return lines
}

func produce(t *testing.T, p *Pipeline, values [][]byte) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(p.running.Kafka...), kgo.DefaultProduceTopic(Topic))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	records := make([]*kgo.Record, len(values))
	for i, v := range values {
		records[i] = &kgo.Record{Value: v}
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// malformed are lines that are no events, with the reason for each.
func malformed(n int) (lines [][]byte, reasons map[fault.Reason]int) {
	kinds := []struct {
		line   string
		reason fault.Reason
	}{
		{`{"specversion":"1.0","id":"%d"`, fault.NotJSON},
		{`plain text %d`, fault.NotJSON},
		{`["%d"]`, fault.NotCloudEvent},
		{`{"specversion":"0.3","id":"%d","source":"/s","type":"t"}`, fault.BadSpecVersion},
		{`{"specversion":"1.0","source":"/s/%d","type":"t"}`, fault.MissingAttribute},
		{`{"specversion":"1.0","id":"%d","id":"again","source":"/s","type":"t"}`, fault.DuplicateAttribute},
		{`{"specversion":"1.0","id":"%d","source":"/s","type":"t","time":"yesterday"}`, fault.InvalidTime},
		{`{"specversion":"1.0","id":"%d\u0000","source":"/s","type":"t"}`, fault.ControlCharacter},
		{`{"specversion":"1.0","id":"%d` + strings.Repeat("x", 10<<10) + `","source":"/s","type":"t"}`, fault.AttributeTooLong},
		{`{"specversion":"1.0","id":"%d` + "\xff" + `","source":"/s","type":"t"}`, fault.InvalidUTF8},
	}
	reasons = make(map[fault.Reason]int)
	for i := range n {
		k := kinds[i%len(kinds)]
		lines = append(lines, fmt.Appendf(nil, k.line, i))
		reasons[k.reason]++
	}
	return lines, reasons
}

// deadLetters takes every dead letter of a queue.
func deadLetters(t *testing.T, p *Pipeline, name string) []queue.Received {
	t.Helper()
	q, err := p.data.Queues.Queue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var all []queue.Received
	for {
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: queue.MaxBatch})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return all
		}
		all = append(all, got...)
	}
}

// Real flights through Kafka, twice, with 100 malformed lines among them: each flight is
// stored once, each bad line is a dead letter with its reason and its bytes.
func TestKafkaTwiceWithMalformedLines(t *testing.T) {
	p := start(t, options(t, t.TempDir()))
	lines := flights(t)
	bad, reasons := malformed(100)
	mixed := make([][]byte, 0, len(lines)+len(bad))
	for i, l := range lines {
		mixed = append(mixed, l)
		if i < len(bad) {
			mixed = append(mixed, bad[i])
		}
	}
	produce(t, p, mixed)
	produce(t, p, lines)
	eventually(t, "all stored", func() bool { return count(t, p, store.Filter{}) == int64(len(lines)) })
	eventually(t, "all dead letters", func() bool { return depth(t, p, "ingest-dlq") == len(bad) })
	eventually(t, "Kafka is read to its end", func() bool {
		lag, err := p.ConsumerLag(t.Context())
		return err == nil && lag == 0
	})
	eventually(t, "queues are empty", func() bool { return depth(t, p, spec.Process)+depth(t, p, spec.Persist) == 0 })

	if n := count(t, p, store.Filter{}); n != int64(len(lines)) {
		t.Errorf("%d events stored, want %d", n, len(lines))
	}
	if n := count(t, p, store.Filter{Type: "gov.bts.flight.cancelled"}); n != 4 {
		t.Errorf("%d cancelled flights on 1 January 2013, want 4", n)
	}
	checkDeadLetters(t, deadLetters(t, p, "ingest-dlq"), bad, reasons)
	for _, l := range lines {
		checkStored(t, p, l)
	}
	if n, err := p.data.Events.Rebuild(t.Context()); err != nil || n != 0 {
		t.Errorf("%d counters and aggregates differ from a rebuild, %v", n, err)
	}
}

func checkDeadLetters(t *testing.T, letters []queue.Received, bad [][]byte, reasons map[fault.Reason]int) {
	t.Helper()
	want := make(map[string]bool)
	for _, b := range bad {
		want[string(b)] = true
	}
	for _, m := range letters {
		a, foreign := pipeline.ParseAttrs(m.Attributes)
		d, err := pipeline.OpenEnvelope(&pipeline.Delivery{Body: m.Body, Attrs: a, Foreign: foreign})
		if err != nil {
			t.Fatal(err)
		}
		if !want[string(d.Body)] {
			t.Errorf("dead letter of unknown bytes %.60q (%s)", d.Body, a.Reason)
		}
		delete(want, string(d.Body))
		reasons[a.Reason]--
	}
	for b := range want {
		t.Errorf("no dead letter of %.60q", b)
	}
	for r, n := range reasons {
		if n != 0 {
			t.Errorf("reason %s: off by %d", r, n)
		}
	}
}

// checkStored: what is stored of a flight has the bytes of every member that the
// handler does not change.
func checkStored(t *testing.T, p *Pipeline, line []byte) {
	t.Helper()
	sent, err := event.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.data.Events.Get(t.Context(), sent.Key())
	if err != nil {
		t.Fatal(err)
	}
	var in, out map[string]json.RawMessage
	if err := json.Unmarshal(line, &in); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(r.Event.JSON(), &out); err != nil {
		t.Fatal(err)
	}
	for name, v := range in {
		if name != "type" && name != "data" && !bytes.Equal(v, out[name]) {
			t.Errorf("%s: %s is stored as %s", sent.ID(), v, out[name])
		}
	}
	if !strings.HasPrefix(string(out["data"]), strings.TrimSuffix(string(in["data"]), "}")) {
		t.Errorf("data %s is stored as %s", in["data"], out["data"])
	}
}

// sharedData is the folder of real input, "" where it is not.
func sharedData(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MILLRACE_SHARED")
	if dir == "" {
		dir = "../../../shared"
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err != nil {
		t.Skip("no shared data: set MILLRACE_SHARED")
	}
	return filepath.Join(dir, "data")
}
