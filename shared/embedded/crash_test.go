package embedded

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// childEnv makes the test binary a pipeline: its value is the data directory, a space,
// and the address of the Kafka broker.
const childEnv = "EMBEDDED_TEST_CHILD"

func TestMain(m *testing.M) {
	if v := os.Getenv(childEnv); v != "" {
		child(v)
	}
	os.Exit(m.Run())
}

// child runs a pipeline until it is killed, and says on standard output when it runs.
func child(v string) {
	dir, kafka, _ := strings.Cut(v, " ")
	settings, err := spec.Load(nil)
	if err == nil {
		var registry *handlers.Registry
		if registry, err = handlers.New(handlers.Settings{}); err == nil {
			_, err = Start(context.Background(), Options{
				Data: dir, Listen: "127.0.0.1:0", Kafka: KafkaOptions{Listen: kafka}, Settings: settings,
				Handlers: registry, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: time.Now,
			})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("running")
	select {}
}

func startChild(t *testing.T, dir, kafka string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir+" "+kafka)
	cmd.Stderr = testLog{t}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if s := bufio.NewScanner(out); !s.Scan() || s.Text() != "running" {
		_ = cmd.Process.Kill()
		t.Fatalf("the pipeline did not start: %v", cmd.Wait())
	}
	return cmd
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// TestKill9 kills the pipeline at random moments during one load, its Kafka broker with
// it, and starts it again each time: everything that Kafka acknowledged is stored once,
// nothing is dead-lettered, and no message is left behind.
func TestKill9(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 3
	}
	dir, kafka := t.TempDir(), freeAddr(t)
	cmd := startChild(t, dir, kafka)
	stop := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	defer func() { stop() }()

	var acked atomic.Int64
	done := make(chan int)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- load(ctx, t, kafka, &acked) }()

	for i := range kills {
		target := acked.Load() + 1 + rand.Int64N(2000)
		eventually(t, "the load goes on", func() bool { return acked.Load() >= target })
		stop()
		t.Logf("kill %d after %d acknowledged records", i+1, acked.Load())
		cmd = startChild(t, dir, kafka)
	}
	cancel()
	sent := <-done
	stop() // once more, with everything sent and much of it under way

	p := start(t, func() Options { o := options(t, dir); o.Kafka.Listen = kafka; return o }())
	eventually(t, "all stored", func() bool { return count(t, p, store.Filter{}) >= int64(sent) })
	eventually(t, "no message is left", func() bool {
		lag, err := p.ConsumerLag(t.Context())
		return err == nil && lag == 0 && depth(t, p, spec.Ingest)+depth(t, p, spec.Process)+depth(t, p, spec.Persist) == 0
	})
	if n := count(t, p, store.Filter{}); n != int64(sent) {
		t.Errorf("%d events stored, %d sent", n, sent)
	}
	for _, s := range spec.Stages {
		if n := depth(t, p, s.DLQ()); n != 0 {
			t.Errorf("%d messages in %s", n, s.DLQ())
		}
	}
	if n, err := p.data.Events.Rebuild(t.Context()); err != nil || n != 0 {
		t.Errorf("%d counters and aggregates differ from a rebuild, %v", n, err)
	}
	t.Logf("%d events through %d kills", sent, kills+1)
}

// load produces events until ctx is done, each until it is acknowledged, and returns
// how many.
func load(ctx context.Context, t *testing.T, kafka string, acked *atomic.Int64) (sent int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka), kgo.DefaultProduceTopic(Topic),
		kgo.RecordRetries(1<<30), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.UnknownTopicRetries(-1), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		t.Error(err)
		return 0
	}
	defer client.Close()
	for ctx.Err() == nil {
		batch := make([]*kgo.Record, 500)
		for i := range batch {
			batch[i] = &kgo.Record{Value: []byte(flight(fmt.Sprintf("%09d", sent), "517"))}
			sent++
		}
		for _, r := range client.ProduceSync(context.WithoutCancel(ctx), batch...) {
			if r.Err != nil {
				t.Errorf("produce: %v", r.Err)
				return sent
			}
		}
		acked.Add(int64(len(batch)))
	}
	return sent
}
