package deployed

import (
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestWithDatabase(t *testing.T) {
	got, err := withDatabase("mongodb://127.0.0.1:1/?replicaSet=rs0", "e2e")
	if want := "mongodb://127.0.0.1:1/e2e?replicaSet=rs0"; err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if _, err := withDatabase("mongodb://user:secret%@x", "e2e"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("err = %v: it must not show the password", err)
	}
}

func TestSet(t *testing.T) {
	p := &Pipeline{}
	p.Set("kafka=self", "kafkaBootstrapServers=b:9092", "env=x")
	p.Set("kafka=msk", "kafkaBootstrapServers=", "lagHigh=5")
	if want := []string{"env=x", "kafka=msk", "lagHigh=5"}; !slices.Equal(p.settings, want) {
		t.Errorf("settings %v, want %v", p.settings, want)
	}
}

// TestProcesses: a function's process is known by its environment, not by its name.
func TestProcesses(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes of functions are seen on Linux only")
	}
	p := &Pipeline{Env: "t-" + randomHex()}
	function := exec.Command("sleep", "60")
	function.Env = []string{"AWS_LAMBDA_FUNCTION_NAME=millrace-" + p.Env + "-persist", "AWS_LAMBDA_FUNCTION_VERSION=7"}
	if err := function.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = function.Wait() }()
	defer func() { _ = function.Process.Kill() }()
	if found := p.Processes("process"); len(found) != 0 {
		t.Errorf("another function has processes: %v", found)
	}
	found := p.Processes("persist")
	if len(found) != 1 || found[0] != (Process{function.Process.Pid, "7"}) {
		t.Fatalf("found %v, want process %d of version 7", found, function.Process.Pid)
	}
	if err := found[0].Kill(); err != nil {
		t.Fatal(err)
	}
	_ = function.Wait()
	if found := p.Processes("persist"); len(found) != 0 {
		t.Errorf("killed, and still there: %v", found)
	}
}
