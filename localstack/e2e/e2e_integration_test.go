//go:build integration

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/localstack/harness/deployed"
)

func TestMain(m *testing.M) { harness.Main(m) }

// program is the real millrace, with where its Kafka and MongoDB are.
type program struct {
	t                   *testing.T
	bin, dir            string
	kafka, topic, mongo string
	cmd                 *exec.Cmd
}

func newProgram(t *testing.T, kafka, mongoURI string) *program {
	t.Helper()
	p := &program{t: t, dir: t.TempDir(), kafka: kafka, topic: harness.Topic(t, kafka, 4)}
	u, err := url.Parse(mongoURI)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + harness.Database(t, mongoURI)
	p.mongo = u.String()
	p.bin = deployed.BuildCommand(t)
	p.run("store", "init")
	return p
}

func (p *program) command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.bin, append(args, "--data", filepath.Join(p.dir, "data"))...)
	cmd.Env = append(os.Environ(), "MONGODB_URI="+p.mongo)
	cmd.Stderr = logWriter{p.t}
	return cmd
}

// run runs a command to its end and returns its output.
func (p *program) run(args ...string) []byte {
	p.t.Helper()
	out, err := p.command(args...).Output()
	if err != nil {
		p.t.Fatalf("millrace %v: %v\n%s", args, err, out)
	}
	return out
}

// start starts `millrace run` and returns when it runs.
func (p *program) start() {
	p.t.Helper()
	p.cmd = p.command("run", "--listen", "127.0.0.1:0", "--kafka", p.kafka, "--topic", p.topic, "--group", p.topic)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	if !bufio.NewScanner(out).Scan() {
		p.t.Fatalf("the pipeline did not start: %v", p.cmd.Wait())
	}
}

func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// stop ends it as an operator does.
func (p *program) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("millrace run, ended by SIGTERM: %v", err)
	}
}

type status struct {
	Persisted   int64  `json:"persisted"`
	Dead        int64  `json:"dead"`
	InFlight    *int64 `json:"in_flight"`
	ConsumerLag *int64 `json:"consumer_lag"`
}

// settle waits until nothing is under way.
func (p *program) settle() status {
	p.t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		out, err := p.command("status", "--json").Output() // Kafka may be starting yet
		var s status
		if err == nil && json.Unmarshal(out, &s) == nil && s.ConsumerLag != nil && *s.ConsumerLag == 0 && s.InFlight != nil && *s.InFlight == 0 {
			return s
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("not settled: %s, %v", out, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

type logWriter struct{ t *testing.T }

func (l logWriter) Write(b []byte) (int, error) {
	l.t.Logf("%s", bytes.TrimSpace(b))
	return len(b), nil
}

// input is a file of events: all real ones where the shared data is there, else the
// sample.
func input(t *testing.T) (file string, distinct int64) {
	t.Helper()
	shared := os.Getenv("MILLRACE_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	converter := filepath.Join(shared, "data", "to_cloudevents.py")
	python, err := exec.LookPath("python3")
	if _, statErr := os.Stat(converter); statErr != nil || err != nil {
		return "../../events-samples/flights/2013-01-01.ndjson.gz", 842
	}
	var all []byte
	for kind, name := range map[string]string{"flights": "flights-2013-01.csv.gz", "github": "github-webhooks.ndjson.gz"} {
		out, err := exec.Command(python, converter, kind, filepath.Join(shared, "data", name)).Output()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, out...)
	}
	file = filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(file, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, 27_004 + 195
}

// Real events through a real Kafka into a real MongoDB, twice: each is stored once, and
// any MongoDB client finds it by a field of its data, through an index.
func TestIntegrationTwiceIsOnce(t *testing.T) {
	p := newProgram(t, harness.Kafka(t), harness.Mongo(t))
	file, distinct := input(t)
	p.start()
	begun := time.Now()
	for range 2 {
		p.run("send", "--kafka", p.kafka, "--topic", p.topic, file)
	}
	s := p.settle()
	t.Logf("%d distinct events, sent twice, in %s", distinct, time.Since(begun).Round(time.Millisecond))
	if s.Persisted != distinct || s.Dead != 0 {
		t.Errorf("%d persisted, %d dead; want %d and 0", s.Persisted, s.Dead, distinct)
	}
	if out := p.run("store", "rebuild", "--json"); !bytes.Contains(out, []byte(`"differed":0`)) {
		t.Errorf("counters and aggregates: %s", out)
	}
	p.stop()
	checkQuery(t, p.mongo)
}

// checkQuery does what the README shows: an index on a field of data, and a query by it.
func checkQuery(t *testing.T, uri string) {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.Background())
	u, _ := url.Parse(uri)
	events := client.Database(u.Path[1:]).Collection("events")
	if _, err := events.Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: bson.D{{Key: "data.dest", Value: 1}}}); err != nil {
		t.Fatal(err)
	}
	filter := bson.D{{Key: "data.dest", Value: "IAH"}}
	n, err := events.CountDocuments(t.Context(), filter)
	if err != nil || n == 0 {
		t.Errorf("%d flights to Houston, %v", n, err)
	}
	var plan bson.M
	err = events.Database().RunCommand(t.Context(), bson.D{{Key: "explain", Value: bson.D{
		{Key: "find", Value: "events"}, {Key: "filter", Value: filter},
	}}}).Decode(&plan)
	if text := fmt.Sprint(plan["queryPlanner"]); err != nil || !bytes.Contains([]byte(text), []byte("IXSCAN")) {
		t.Errorf("no index is used: %v, %s", err, text)
	}
}

// kill -9 of the pipeline, of MongoDB and of Kafka, ten times in random order under load,
// each started again: nothing that Kafka acknowledged is lost, nothing is there twice,
// nothing is dead-lettered.
func TestIntegrationKillAnything(t *testing.T) {
	kafka, db := harness.OwnKafka(t), harness.OwnMongo(t)
	p := newProgram(t, kafka.Addr, db.Addr)
	p.start()
	defer func() { p.kill() }()
	var acked atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int64)
	go func() { done <- load{kafka: p.kafka, topic: p.topic, source: "/load"}.run(ctx, t, &acked) }()
	for i := range 10 {
		target := acked.Load() + 200 + rand.Int64N(3000)
		for acked.Load() < target {
			time.Sleep(5 * time.Millisecond)
		}
		victim := rand.IntN(3)
		t.Logf("kill %d: %s after %d acknowledged events", i+1, []string{"the pipeline", "MongoDB", "Kafka"}[victim], acked.Load())
		var err error
		switch victim {
		case 0:
			p.kill()
			p.start()
		case 1:
			if err = db.Kill(t.Context()); err == nil {
				err = db.Start(t.Context())
			}
		case 2:
			if err = kafka.Kill(t.Context()); err == nil {
				err = kafka.Start(t.Context())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	sent := <-done
	s := p.settle()
	if s.Persisted != sent || s.Dead != 0 {
		t.Errorf("%d persisted, %d dead; %d were acknowledged", s.Persisted, s.Dead, sent)
	}
	if out := p.run("store", "rebuild", "--json"); !bytes.Contains(out, []byte(`"differed":0`)) {
		t.Errorf("counters and aggregates: %s", out)
	}
	t.Logf("%d events", sent)
}
