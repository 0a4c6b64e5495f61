package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	samples "github.com/millrace-pipeline/millrace/events-samples"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/schema"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func options(t *testing.T, dir string) Options {
	t.Helper()
	settings, err := spec.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := handlers.New(handlers.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := schema.Load(samples.Schemas, false)
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Data: dir, Listen: "127.0.0.1:0", Kafka: KafkaOptions{Listen: "127.0.0.1:0"}, Settings: settings, Handlers: registry, Schema: schemas,
		Log: slog.New(slog.NewTextHandler(testLog{t}, nil)), Now: time.Now,
	}
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

func start(t *testing.T, o Options) *Pipeline {
	t.Helper()
	p, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// eventually waits for a condition, for as long as a slow machine may need.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func count(t *testing.T, p *Pipeline, f store.Filter) int64 {
	t.Helper()
	n, err := p.data.Events.Count(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func depth(t *testing.T, p *Pipeline, name string) int {
	t.Helper()
	d, err := p.data.Queues.Depths(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return d[name].Total()
}

func post(t *testing.T, p *Pipeline, contentType, body string) (int, string) {
	t.Helper()
	res, err := http.Post("http://"+p.running.HTTP+"/events", contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func flight(id string, depTime string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/bts/nyc","type":"gov.bts.flight.recorded","subject":"N1","tenantid":"ua",`+
		`"time":"2013-01-01T10:00:00Z","data":{"dep_time":%s,"dep_delay":%s,"sched_dep_time":515,"carrier":"UA","flight":1,"origin":"EWR","dest":"IAH"}}`,
		id, depTime, depTime)
}

func TestHTTPToStore(t *testing.T) {
	p := start(t, options(t, t.TempDir()))
	for range 2 { // sent twice, kept once
		if status, body := post(t, p, event.ContentTypeJSON, flight("1", "517")); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, body)
		}
		if status, body := post(t, p, event.ContentTypeBatch, "["+flight("2", "null")+","+flight("3", "20")+"]"); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, body)
		}
	}
	eventually(t, "3 events stored", func() bool { return count(t, p, store.Filter{}) == 3 })
	r, err := p.data.Events.Get(t.Context(), event.Key{ID: "3"})
	if err != nil {
		t.Fatal(err)
	}
	if e := r.Event; e.Type() != "gov.bts.flight.departed" || !strings.Contains(string(e.Data()), `"delay_class":"delayed"`) || e.Received().IsZero() {
		t.Errorf("stored %s", e.JSON())
	}
	if n := count(t, p, store.Filter{Type: "gov.bts.flight.cancelled"}); n != 1 {
		t.Errorf("%d cancelled flights", n)
	}
	eventually(t, "queues are empty", func() bool {
		return depth(t, p, spec.Process)+depth(t, p, spec.Persist) == 0
	})
	if n := count(t, p, store.Filter{}); n != 3 {
		t.Errorf("%d events after all was processed", n)
	}
}

func TestFrontDoorRefuses(t *testing.T) {
	o := options(t, t.TempDir())
	o.Settings.MaxEventBytes = 2000
	p := start(t, o)
	for _, c := range []struct {
		contentType, body string
		status            int
		reason            fault.Reason
	}{
		{event.ContentTypeJSON, "{", 400, fault.NotJSON},
		{event.ContentTypeJSON, `{"specversion":"0.3","id":"1","source":"/","type":"t"}`, 400, fault.BadSpecVersion},
		{event.ContentTypeBatch, "[" + flight("ok", "1") + `,{"specversion":"1.0"}]`, 400, fault.MissingAttribute},
		{event.ContentTypeJSON, flight("x", `"late"`), 400, fault.SchemaViolation},
		{"text/plain", "hello", 415, fault.UnsupportedContent},
		{event.ContentTypeJSON, flight(strings.Repeat("x", 5000), "1"), 413, fault.TooLarge},
	} {
		status, body := post(t, p, c.contentType, c.body)
		if status != c.status || !strings.Contains(body, `"reason":"`+string(c.reason)+`"`) {
			t.Errorf("%.60s: %d %s, want %d %s", c.body, status, body, c.status, c.reason)
		}
	}
	res, err := http.Get("http://" + p.running.HTTP + "/events")
	if err != nil || res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("allow") != "POST" {
		t.Errorf("GET: %v, %v", res, err)
	}
	res.Body.Close()
	if n := depth(t, p, "ingest-dlq"); n != 0 {
		t.Errorf("%d dead letters of events whose sender was told", n)
	}
}

func TestHealth(t *testing.T) {
	p := start(t, options(t, t.TempDir()))
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": `"store":"ok"`} {
		res, err := http.Get("http://" + p.running.HTTP + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK || !strings.Contains(string(b), want) {
			t.Errorf("%s: %d %s", path, res.StatusCode, b)
		}
	}
}

func send(t *testing.T, p *Pipeline, name string, m queue.Message) {
	t.Helper()
	q, err := p.data.Queues.Queue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Send(t.Context(), []queue.Message{m})[0]; err != nil {
		t.Fatal(err)
	}
}

// SQS in; a poison event goes to the dead-letter queue with its bytes, its neighbours
// are stored; after a redrive that cannot help it ends in the quarantine.
func TestDeadLetterAndRedrive(t *testing.T) {
	o := options(t, t.TempDir())
	o.Settings.MaxRedrives = 1
	p := start(t, o)
	bad := `{"specversion":"1.0","id":"bad","source":"/bts/nyc","type":"gov.bts.flight.recorded","data":[1, 2]}`
	send(t, p, spec.Ingest, queue.Message{Body: []byte("[" + flight("a", "1") + "," + bad + "," + flight("b", "2") + "]")})
	send(t, p, spec.Ingest, queue.Message{Body: []byte("no event"), Attributes: map[string]string{"sender": "x"}})
	eventually(t, "neighbours stored", func() bool { return count(t, p, store.Filter{}) == 2 })
	eventually(t, "two dead letters", func() bool { return depth(t, p, "ingest-dlq") == 2 })

	redrive := func(request string) string {
		answer, err := p.redrive(t.Context(), []byte(request))
		if err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	if got := redrive(`{"passing":true}`); !strings.Contains(got, `"left":2`) {
		t.Errorf("a schedule would touch %s", got)
	}
	if got := redrive(`{"dry_run":true}`); !strings.Contains(got, `"redriven":2`) {
		t.Errorf("dry run: %s", got)
	}
	if got := redrive(`{"stage":"ingest","reasons":["schema_violation"]}`); !strings.Contains(got, `"redriven":1`) {
		t.Errorf("redrive: %s", got)
	}
	eventually(t, "it comes back", func() bool { return depth(t, p, "ingest-dlq") == 2 })
	send(t, p, spec.Redrive, queue.Message{Body: []byte(`{}`)}) // the same by SQS
	eventually(t, "one in quarantine, one came back", func() bool {
		return depth(t, p, spec.Quarantine) == 1 && depth(t, p, "ingest-dlq") == 1 && depth(t, p, spec.Redrive) == 0
	})
	q, err := p.data.Queues.Queue(t.Context(), spec.Quarantine)
	if err != nil {
		t.Fatal(err)
	}
	got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 1})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := pipeline.ParseAttrs(got[0].Attributes)
	if string(got[0].Body) != bad || a.Reason != fault.SchemaViolation || a.Redrives != 1 || a.Stage != spec.Ingest {
		t.Errorf("quarantined %s %+v", got[0].Body, a)
	}
	if _, err := p.redrive(t.Context(), []byte(`{"reson":"x"}`)); err == nil {
		t.Error("a misspelt filter is accepted")
	}
}

// A large event goes by claim check and comes out whole.
func TestLargeEvent(t *testing.T) {
	p := start(t, options(t, t.TempDir()))
	random := make([]byte, 1<<20)
	for i := range random {
		random[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[(i*7919+i/36*104729+i*i%31)%36]
	}
	body := fmt.Sprintf(`{"specversion":"1.0","id":"large","source":"/s","type":"t","data":%q}`, random)
	if status, b := post(t, p, event.ContentTypeJSON, body); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, b)
	}
	eventually(t, "stored", func() bool { return count(t, p, store.Filter{}) == 1 })
	r, err := p.data.Events.Get(t.Context(), event.Key{ID: "large"})
	if err != nil || string(r.Event.Data()) != `"`+string(random)+`"` {
		t.Fatalf("%d bytes, %v", len(r.Event.Data()), err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	p := start(t, options(t, dir))
	if _, err := Start(t.Context(), options(t, dir)); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second pipeline in the same directory: %v", err)
	}
	if r, err := Find(dir); err != nil || r.HTTP != p.running.HTTP {
		t.Errorf("Find: %+v, %v", r, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

func TestStartErrors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"port in use":   {func(o *Options) { o.Listen = ln.Addr().String() }, "address already in use"},
		"no such host":  {func(o *Options) { o.Listen = "256.1.1.1:0" }, "HTTP front door"},
		"file in place": {func(o *Options) { o.Data = filepath.Join(o.Data, "f"); os.WriteFile(o.Data, nil, 0o600) }, "data directory"},
		"corrupt store": {func(o *Options) {
			os.WriteFile(filepath.Join(o.Data, "events.db"), bytes.Repeat([]byte("x"), 8192), 0o600)
		}, "events.db"},
	} {
		o := options(t, t.TempDir())
		c.change(&o)
		p, err := Start(t.Context(), o)
		if err == nil {
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", name, err, c.want)
		}
	}
}

// What was accepted before a stop is processed after the next start.
func TestStopKeepsWork(t *testing.T) {
	dir := t.TempDir()
	o := options(t, dir)
	p := start(t, o)
	var batch []json.RawMessage
	for i := range 500 {
		batch = append(batch, json.RawMessage(flight(fmt.Sprint(i), "1")))
	}
	body, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	if status, b := post(t, p, event.ContentTypeBatch, string(body)); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, b)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = start(t, o)
	eventually(t, "all stored", func() bool { return count(t, p, store.Filter{}) == 500 })
}
