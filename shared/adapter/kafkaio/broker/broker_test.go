package broker

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
)

const topic = "events"

func options(dir string) Options {
	return Options{Dir: dir, Addr: "127.0.0.1:0", Topics: map[string]int32{topic: 2}}
}

func start(t *testing.T, dir string) *Broker {
	t.Helper()
	b, err := Start(t.Context(), options(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func produce(t *testing.T, addr string, values ...string) {
	t.Helper()
	p, err := kafkaio.NewProducer(t.Context(), &kafkaio.Config{Brokers: []string{addr}}, topic)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, kgo.StringRecord(v))
	}
	for _, err := range p.Send(t.Context(), records) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func lag(t *testing.T, addr string) (n int64) {
	t.Helper()
	client, err := kafkaio.Dial(t.Context(), &kafkaio.Config{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	lags, err := kafkaio.Lag(t.Context(), client, "nobody", topic)
	if err != nil {
		t.Fatal(err)
	}
	if len(lags) != 2 {
		t.Fatalf("%d partitions, want 2", len(lags))
	}
	for _, l := range lags {
		n += l.Lag
	}
	return n
}

func TestRecordsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	produce(t, b.Addr(), "a", "b", "c")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = start(t, dir)
	if n := lag(t, b.Addr()); n != 3 {
		t.Errorf("%d records after the restart, want 3", n)
	}
}

// TestMain plays the broker of TestRecordsSurviveKill9.
func TestMain(m *testing.M) {
	if dir := os.Getenv("MILLRACE_BROKER_TEST_DIR"); dir != "" {
		b, err := Start(context.Background(), options(dir))
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(b.Addr())
		select {}
	}
	os.Exit(m.Run())
}

func TestRecordsSurviveKill9(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "MILLRACE_BROKER_TEST_DIR="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var addr string
		_, err = fmt.Fscanln(out, &addr)
		if err == nil {
			produce(t, addr, "a", "b", "c")
		}
		cmd.Process.Kill()
		cmd.Wait()
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	if n := lag(t, start(t, dir).Addr()); n != 9 {
		t.Errorf("%d records, 9 were acknowledged", n)
	}
}

func TestErrorsAreOneClearLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	running := t.TempDir()
	start(t, running)
	for name, test := range map[string]struct {
		prepare func(o *Options)
		want    string
	}{
		"port taken":        {func(o *Options) { o.Addr = taken.Addr().String() }, "cannot listen on " + taken.Addr().String()},
		"other address":     {func(o *Options) { o.Addr = "0.0.0.0:0" }, "127.0.0.1 only"},
		"no address":        {func(o *Options) { o.Addr = "9092" }, "not HOST:PORT"},
		"directory in use":  {func(o *Options) { o.Dir = running }, "in use by another process"},
		"directory a file":  {func(o *Options) { o.Dir = write(t, o.Dir, "file", "") }, "data directory"},
		"damaged meta":      {func(o *Options) { write(t, o.Dir, metaFile, "{") }, "is damaged"},
		"damaged topics":    {func(o *Options) { write(t, o.Dir, metaFile, `{"version":1}`); write(t, o.Dir, "topics.json", "{") }, "is damaged"},
		"meta lost":         {func(o *Options) { write(t, o.Dir, "topics.json", "{}") }, "it has topics.json but no meta.json"},
		"not ours to write": {func(o *Options) { o.Dir = "/proc/nothing" }, "data directory"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t.TempDir())
			test.prepare(&o)
			b, err := Start(t.Context(), o)
			if err == nil {
				b.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, test.want)
			}
		})
	}
}

// TestAFailedStartLetsGo: the lock and the port are free for the next try.
func TestAFailedStartLetsGo(t *testing.T) {
	dir := t.TempDir()
	broken := write(t, dir, metaFile, "{")
	if _, err := Start(t.Context(), options(dir)); err == nil {
		t.Fatal("no error")
	}
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
}

// TestInterruptedFirstStart: killed between the first file and the topics.
func TestInterruptedFirstStart(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, metaFile, `{"version":1,"clusterID":"kfake"}`)
	b := start(t, dir)
	produce(t, b.Addr(), "a")
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
