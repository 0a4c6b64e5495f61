package event_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// webhooks are real GitHub webhook deliveries as CloudEvents, made as
// data/to_cloudevents.py of the shared folder makes them.
func webhooks(tb testing.TB) []event.Event {
	tb.Helper()
	dir := os.Getenv("MILLRACE_SHARED")
	if dir == "" {
		dir = "../../../shared" // beside the checkout
	}
	f, err := os.Open(filepath.Join(dir, "data", "github-webhooks.ndjson.gz"))
	if err != nil {
		tb.Skipf("no real data: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var events []event.Event
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		events = append(events, webhook(tb, lines.Bytes()))
	}
	if lines.Err() != nil || len(events) == 0 {
		tb.Fatalf("%d events, %v", len(events), lines.Err())
	}
	return events
}

func webhook(tb testing.TB, line []byte) event.Event {
	tb.Helper()
	var hook struct {
		Event   string
		Payload json.RawMessage
	}
	var p struct {
		Action     any
		Repository struct {
			FullName string `json:"full_name"`
		}
		Sender struct{ Login string }
	}
	if err := json.Unmarshal(line, &hook); err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(hook.Payload, &p); err != nil {
		tb.Fatal(err)
	}
	typ := "com.github." + hook.Event
	if action, ok := p.Action.(string); ok {
		typ += "." + action
	}
	b := event.New("https://github.com/"+p.Repository.FullName, "hook", typ).Set("time", "2026-01-01T00:00:00Z").Data(hook.Payload)
	if p.Sender.Login != "" {
		b.Set("userid", p.Sender.Login)
	}
	e, err := b.Build()
	if err != nil {
		tb.Fatalf("%v in %.200s", err, line)
	}
	if string(e.Data()) != string(hook.Payload) {
		tb.Fatalf("data is not the payload: %.200s", e.Data())
	}
	return e
}

func TestRealWebhooks(t *testing.T) {
	for _, e := range webhooks(t) {
		checkEvent(t, e.JSON(), e)
		checkChanges(t, e)
		assertAgrees(t, e, sdkRead(t, e.JSON()))
	}
}

func BenchmarkParseWebhook(b *testing.B) {
	events := webhooks(b)
	n := 0
	for i := range events {
		n += len(events[i].JSON())
	}
	b.SetBytes(int64(n / len(events)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := event.Parse(events[i%len(events)].JSON()); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
