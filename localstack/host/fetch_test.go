package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestCachedIsMadeOnce(t *testing.T) {
	t.Setenv(CacheEnv, t.TempDir())
	var fills atomic.Int32
	fill := func(_ context.Context, dir string) error {
		fills.Add(1)
		return os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o644)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dir, err := cached(t.Context(), "thing", fill)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := fills.Load(); n != 1 {
		t.Errorf("filled %d times", n)
	}
}

func TestCachedKeepsNothingOfAFailure(t *testing.T) {
	root := t.TempDir()
	t.Setenv(CacheEnv, root)
	broken := errors.New("no network")
	_, err := cached(t.Context(), "thing", func(_ context.Context, dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "half"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("err = %v", err)
	}
	left, err := filepath.Glob(filepath.Join(root, "thing*"))
	if err != nil || len(left) != 1 || filepath.Ext(left[0]) != ".lock" {
		t.Fatalf("left: %v (%v)", left, err)
	}
}

func TestLockWaitsForItsHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a held lock: err = %v", err)
	}
	unlock()
	unlock, err = lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// TestMissingTools: the message must name what to install.
func TestMissingTools(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JAVA_HOME", "")
	t.Setenv(CacheEnv, t.TempDir())
	_, err := findJava(t.Context())
	if err == nil || !strings.Contains(err.Error(), "Java 17") {
		t.Errorf("without java: %v", err)
	}
	_, err = kafkaClasspath(t.Context())
	if err == nil || !strings.Contains(err.Error(), "mvn") {
		t.Errorf("without mvn: %v", err)
	}
}

// TestPythonShim: a python3 that only says "command not found" is passed over.
func TestPythonShim(t *testing.T) {
	bin := t.TempDir()
	script := func(name, body string) {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	script("python3", "echo 'python3: command not found' >&2; exit 127")
	script("python", `[ "$1 $2" = "-m pip" ]`)
	got, err := findPython(t.Context())
	if err != nil || got != "python" {
		t.Fatalf("found %q, %v", got, err)
	}
}

func TestJavaMajor(t *testing.T) {
	for out, want := range map[string]int{
		"openjdk version \"17.0.15\" 2025-04-15\n": 17,
		"openjdk version \"25\" 2025-09-16\n":      25,
		"java version \"1.8.0_292\"\n":             8,
		"openjdk version \"21-ea\" 2023-09-19":     21,
	} {
		if got, err := javaMajor(out); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", out, got, err, want)
		}
	}
	if _, err := javaMajor("command not found"); err == nil {
		t.Error("no error for what is no version")
	}
}

func TestServerProperties(t *testing.T) {
	plain := serverProperties("/run/k", []int{1, 2})
	for _, line := range []string{
		"listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n",
		"advertised.listeners=PLAINTEXT://127.0.0.1:1\n",
		"log.dirs=/run/k/data\n",
	} {
		if !strings.Contains(plain, line) {
			t.Errorf("no %q in\n%s", line, plain)
		}
	}
	if strings.Contains(plain, "ssl") {
		t.Errorf("TLS without a listener for it:\n%s", plain)
	}
	secure := serverProperties("/run/k", []int{1, 2, 3})
	if !strings.Contains(secure, "advertised.listeners=PLAINTEXT://127.0.0.1:1,SECURE://127.0.0.1:3\n") {
		t.Errorf("no secure listener in\n%s", secure)
	}
}
