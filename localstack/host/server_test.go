package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary itself plays the server, as the environment tells it.
const roleEnv = "MILLRACE_HOST_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "server":
		playServer(os.Args[2], os.Args[3])
	case "parent":
		playParent(os.Args[1])
	default:
		os.Exit(m.Run())
	}
}

// playServer listens on a port. Its behaviour: "good", "stubborn" (ignores SIGTERM),
// "broken" (prints and fails).
func playServer(port, behaviour string) {
	if behaviour == "broken" {
		for i := range 30 {
			fmt.Println("line", i)
		}
		fmt.Println("cannot go on")
		os.Exit(3)
	}
	if behaviour == "stubborn" {
		signal.Ignore(syscall.SIGTERM)
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		_ = c.Close()
	}
}

// playParent starts a server, prints its process id and waits to be killed.
func playParent(dir string) {
	s := testServer(dir, "good")
	_ = os.Setenv(roleEnv, "server")
	if err := s.Start(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.PID())
	select {}
}

func testServer(dir, behaviour string) *Server {
	s := &Server{name: "test server", dir: dir, grace: 5 * time.Second}
	s.prepare = func(context.Context) (*exec.Cmd, error) {
		ports, err := keptPorts(dir, 1)
		if err != nil {
			return nil, err
		}
		return exec.Command(os.Args[0], dir, strconv.Itoa(ports[0]), behaviour), nil
	}
	s.ready = func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", keptAddr(dir, 0))
		if err != nil {
			return err
		}
		return c.Close()
	}
	return s
}

func startTestServer(t *testing.T, behaviour string) *Server {
	t.Helper()
	t.Setenv(roleEnv, "server")
	s := testServer(t.TempDir(), behaviour)
	t.Cleanup(func() { _ = s.Kill(context.Background()) })
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestServerComesBackOnTheSamePort(t *testing.T) {
	s := startTestServer(t, "good")
	addr := keptAddr(s.dir, 0)
	for _, end := range []func(context.Context) error{s.Stop, s.Kill} {
		pid := s.PID()
		if err := end(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.PID() != 0 || commandLine(pid) != "" {
			t.Fatalf("process %d still runs", pid)
		}
		if _, err := os.Stat(pidfile(s.dir)); !os.IsNotExist(err) {
			t.Fatalf("the pidfile is still there: %v", err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := keptAddr(s.dir, 0); got != addr {
			t.Fatalf("came back on %s, was on %s", got, addr)
		}
	}
}

func TestServerIsNotStartedTwice(t *testing.T) {
	s := startTestServer(t, "good")
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "running already") {
		t.Fatalf("err = %v", err)
	}
	if s.PID() == 0 {
		t.Fatal("the running server was harmed")
	}
}

// TestAnotherProcessStopsIt is `hosts down`: only the pidfile tells of the server.
func TestAnotherProcessStopsIt(t *testing.T) {
	s := startTestServer(t, "good")
	other := testServer(s.dir, "good")
	if other.PID() != s.PID() {
		t.Fatalf("found process %d, want %d", other.PID(), s.PID())
	}
	if err := other.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := keptPorts(s.dir, 1); err != nil {
		t.Errorf("stopped, and its port is not free: %v", err)
	}
	if err := s.proc.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestPidfileOfAnotherProcess is the pidfile of a server long gone, whose number another
// process has got.
func TestPidfileOfAnotherProcess(t *testing.T) {
	bystander := exec.Command("sleep", "60")
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bystander.Process.Kill(); _ = bystander.Wait() })
	s := testServer(t.TempDir(), "good")
	if err := os.WriteFile(pidfile(s.dir), []byte(strconv.Itoa(bystander.Process.Pid)), 0o644); err != nil {
		t.Fatal(err)
	}
	if s.PID() != 0 {
		t.Fatal("took another process for the server")
	}
	if err := s.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := bystander.Process.Signal(syscall.Signal(0)); err != nil {
		t.Fatalf("the other process was killed: %v", err)
	}
}

func TestStubbornServerIsKilled(t *testing.T) {
	s := startTestServer(t, "stubborn")
	s.grace = 200 * time.Millisecond
	err := s.Stop(t.Context())
	if err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Fatalf("err = %v", err)
	}
	if s.PID() != 0 {
		t.Fatal("still running")
	}
}

func TestFailedStartShowsTheEndOfTheLog(t *testing.T) {
	t.Setenv(roleEnv, "server")
	s := testServer(t.TempDir(), "broken")
	err := s.Start(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"exit status 3", "cannot go on", s.LogFile()} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "line 3\n") {
		t.Errorf("more than the end of the log:\n%v", err)
	}
	if _, err := os.Stat(pidfile(s.dir)); !os.IsNotExist(err) {
		t.Errorf("the pidfile is still there: %v", err)
	}
}

func TestServerDiesWithAKilledParent(t *testing.T) {
	if dies := (&syscall.SysProcAttr{}); !tiedToParent(dies) {
		t.Skip("only Linux can tie a process to its parent")
	}
	parent := exec.Command(os.Args[0], t.TempDir())
	parent.Env = append(os.Environ(), roleEnv+"=parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_ = parent.Process.Kill()
	_ = parent.Wait()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(line)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = Poll(ctx, 10*time.Millisecond, func(context.Context) error {
		if commandLine(pid) != "" {
			return errors.New("the server outlived its parent")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func tiedToParent(attr *syscall.SysProcAttr) bool {
	before := *attr
	dieWithParent(attr)
	return fmt.Sprint(*attr) != fmt.Sprint(before)
}

func TestKeptPorts(t *testing.T) {
	dir := t.TempDir()
	first, err := keptPorts(dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	again, err := keptPorts(dir, 2)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(first) {
		t.Fatalf("%v, then %v (%v)", first, again, err)
	}
	if _, err := keptPorts(dir, 3); err == nil || !strings.Contains(err.Error(), filepath.Base(dir)) {
		t.Fatalf("err = %v", err)
	}
	l, err := net.Listen("tcp", loopback(first[1]))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := keptPorts(dir, 2); err == nil || !strings.Contains(err.Error(), strconv.Itoa(first[1])) {
		t.Fatalf("a port that another process has: err = %v", err)
	}
}
