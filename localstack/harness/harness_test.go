package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

// verdict is a test that records how it was ended.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper() {}
func (v *verdict) Skipf(f string, a ...any) {
	v.skipped = fmt.Sprintf(f, a...)
	runtime.Goexit()
}
func (v *verdict) Fatalf(f string, a ...any) {
	v.failed = fmt.Sprintf(f, a...)
	runtime.Goexit()
}

func verdictOf(t *testing.T, run func(testing.TB)) *verdict {
	v := &verdict{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(v)
	}()
	<-done
	return v
}

func TestMissingServiceSkipsInOneLine(t *testing.T) {
	t.Setenv(RequireEnv, "kafka")
	v := verdictOf(t, func(tb testing.TB) { missing(tb, mongoKind, errors.New("no python\nat all")) })
	if v.failed != "" || !strings.Contains(v.skipped, "no python") || strings.Contains(v.skipped, "\n") {
		t.Errorf("skipped %q, failed %q", v.skipped, v.failed)
	}
}

func TestRequiredServiceFails(t *testing.T) {
	t.Setenv(RequireEnv, "mongo,kafka")
	v := verdictOf(t, func(tb testing.TB) { missing(tb, kafkaKind, errors.New("no java")) })
	if v.skipped != "" || !strings.Contains(v.failed, "no java") {
		t.Errorf("skipped %q, failed %q", v.skipped, v.failed)
	}
}

// TestGivenServiceThatIsDownFails: to skip would hide a typo in the variable.
func TestGivenServiceThatIsDownFails(t *testing.T) {
	t.Setenv(RequireEnv, "")
	t.Setenv(KafkaEnv, "127.0.0.1:1")
	v := verdictOf(t, func(tb testing.TB) { new(sharedServer).get(tb, kafkaKind) })
	if v.skipped != "" || !strings.Contains(v.failed, KafkaEnv+"=127.0.0.1:1 does not answer") {
		t.Errorf("skipped %q, failed %q", v.skipped, v.failed)
	}
}

// TestContainerIsRequired: where a container is asked for, a process does not do.
func TestContainerIsRequired(t *testing.T) {
	t.Setenv("DOCKER_HOST", "tcp://192.0.2.1:1") // not on a local socket: no engine
	k := kind{name: "kafka", host: func(context.Context) (*Server, error) { return &Server{Addr: "host"}, nil }}
	t.Setenv(RequireEnv, "kafka")
	if s, err := start(t.Context(), k); err != nil || s.Addr != "host" {
		t.Errorf("a process would do: %v", err)
	}
	t.Setenv(RequireEnv, "mongo,kafka@docker")
	if _, err := start(t.Context(), k); err == nil || !strings.Contains(err.Error(), "DOCKER_HOST") {
		t.Errorf("without an engine: %v", err)
	}
}

func TestNameIsLegalEverywhere(t *testing.T) {
	t.Run("Ünïcode/with spaces and a very long name that goes on and on", func(t *testing.T) {
		a, b := Name(t), Name(t)
		if !regexp.MustCompile(`^[a-z0-9-]{1,49}$`).MatchString(a) {
			t.Errorf("name %q", a)
		}
		if a == b {
			t.Errorf("%q twice", a)
		}
	})
}

func TestRunDirSweepsUpAfterKilledTests(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	stale, err := os.MkdirTemp("", fmt.Sprintf("%s%d-mongo-", runPrefix, ended.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	first, err := RunDir("mongo")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := RunDir("mongo"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the folder of an ended process is still there: %v", err)
	}
	if _, err := os.Stat(first); err != nil {
		t.Errorf("a living process lost its folder: %v", err)
	}
}
