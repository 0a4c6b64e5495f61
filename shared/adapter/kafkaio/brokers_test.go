package kafkaio_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio/broker"
)

// kind is a kind of broker that the tests run on: kfake, and with the build tag
// integration the real one.
type kind struct {
	name   string
	shared func(t *testing.T) (addr string)   // may be others' too
	own    func(t *testing.T) (own ownBroker) // the test's alone
}

// ownBroker is a broker that a test may kill and start again, on its address and data.
type ownBroker struct {
	addr  string
	kill  func(t *testing.T)
	start func(t *testing.T)
}

var kfakeKind = kind{"kfake", sharedKfake, ownKfake}

func onEachBroker(t *testing.T, test func(t *testing.T, k kind)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

func sharedKfake(t *testing.T) string {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b.Addr()
}

const roleEnv = "MILLRACE_KAFKAIO_TEST_ROLE"

// playRole is a child process of a test; it does not return.
func playRole() {
	switch os.Getenv(roleEnv) {
	case "broker":
		b, err := broker.Start(context.Background(), broker.Options{Dir: os.Args[1], Addr: os.Args[2]})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(b.Addr())
		select {}
	case "consumer":
		playConsumer(os.Args[1], os.Args[2], os.Args[3])
	}
}

// ownKfake runs in a process of its own, so that it can be killed.
func ownKfake(t *testing.T) ownBroker {
	t.Helper()
	dir, addr := t.TempDir(), "127.0.0.1:0"
	var running *exec.Cmd
	var own ownBroker
	own.kill = func(*testing.T) {
		running.Process.Kill()
		running.Wait()
	}
	own.start = func(t *testing.T) {
		t.Helper()
		var line string
		running, line = startRole(t, "broker", dir, addr)
		addr = line
	}
	own.start(t)
	t.Cleanup(func() { own.kill(t) })
	own.addr = addr
	return own
}

// startRole starts the test binary as another process and returns its first line.
func startRole(t *testing.T, role string, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error:") {
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatalf("%s: %q, %v", role, line, err)
	}
	return cmd, strings.TrimSpace(line)
}

// config reaches a broker without authentication.
func config(addr string) *kafkaio.Config { return &kafkaio.Config{Brokers: []string{addr}} }

// dial is a client that closes after the test.
func dial(t *testing.T, addr string) *kgo.Client {
	t.Helper()
	client, err := kafkaio.Dial(t.Context(), config(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// newTopic makes a topic that no other test uses.
func newTopic(t *testing.T, addr string, partitions int32) string {
	t.Helper()
	name := fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), time.Now().UnixNano())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if n, err := kafkaio.EnsureTopic(ctx, dial(t, addr), name, partitions); err != nil || n != int(partitions) {
		t.Fatalf("%d partitions, %v", n, err)
	}
	return name
}

// newProducer closes after the test.
func newProducer(t *testing.T, addr, topic string) *kafkaio.Producer {
	t.Helper()
	p, err := kafkaio.NewProducer(t.Context(), config(addr), topic)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// produce writes n records, numbered from first on, spread by key.
func produce(t *testing.T, addr, topic string, first, n int) {
	t.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		id := fmt.Sprint(first + i)
		records[i] = &kgo.Record{Key: []byte(id), Value: []byte(id)}
	}
	for _, err := range newProducer(t, addr, topic).Send(t.Context(), records) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// eventually polls until check returns nil.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func errUnless(ok bool, text string) error {
	if ok {
		return nil
	}
	return errors.New(text)
}
