package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// pythonScript puts a Python on the PATH that answers as the lines say.
func pythonScript(t *testing.T, path, body string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestPythonBehindAShim: pyenv's shim is on the PATH and does not run, its interpreter is
// not on the PATH and does.
func TestPythonBehindAShim(t *testing.T) {
	bin, pyenv := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("PYTHON", "")
	t.Setenv("PYENV_ROOT", pyenv)
	pythonScript(t, filepath.Join(bin, "python3.13"), "echo 'pyenv: python3.13: command not found' >&2; exit 127")
	pythonScript(t, filepath.Join(bin, "python3"), "echo 3 11")
	pythonScript(t, filepath.Join(pyenv, "versions/3.12.1/bin/python"), "echo 3 12")
	want := filepath.Join(pyenv, "versions/3.13.0/bin/python")
	pythonScript(t, want, "echo 3 13")
	got, err := findPythonFor(t.Context(), minPython)
	if err != nil || got != want {
		t.Fatalf("found %q, %v; want %s", got, err, want)
	}
}

func TestPythonOfTheEnvironmentComesFirst(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	mine := filepath.Join(t.TempDir(), "mypython")
	t.Setenv("PYTHON", mine)
	pythonScript(t, mine, "echo 3 14")
	pythonScript(t, filepath.Join(bin, "python3.13"), "echo 3 13")
	if got, err := findPythonFor(t.Context(), minPython); err != nil || got != mine {
		t.Fatalf("found %q, %v; want %s", got, err, mine)
	}
}

// TestNoPython: the message says what is needed and what was wrong with what is there.
func TestNoPython(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("PYTHON", "")
	t.Setenv("PYENV_ROOT", t.TempDir())
	t.Setenv(CacheEnv, t.TempDir())
	pythonScript(t, filepath.Join(bin, "python3.13"), "echo 'pyenv: python3.13: command not found' >&2; exit 127")
	pythonScript(t, filepath.Join(bin, "python3"), "echo 3 11")
	_, err := localStackVenv(t.Context(), fstest.MapFS{pluginRequirements: {Data: []byte("x==1\n")}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"no LocalStack", "Python 3.13 or newer", "python3.13 fails: pyenv: python3.13: command not found", "python3 is Python 3.11", "PYTHON"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestNoNode(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := new(CDK).Run(t.Context(), new(strings.Builder), "version")
	if err == nil || !strings.Contains(err.Error(), "node") {
		t.Errorf("without node: %v", err)
	}
	if err := fetchCDK(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "npm") {
		t.Errorf("without npm: %v", err)
	}
}

func TestPluginFilesAreItsSources(t *testing.T) {
	files, err := pluginFiles(fstest.MapFS{
		"pyproject.toml":                {},
		"requirements.txt":              {},
		"tests/test_x.py":               {},
		"src/p/__init__.py":             {},
		"src/p/a/b.py":                  {},
		"src/p/py.typed":                {},
		"src/p/__pycache__/a.pyc":       {},
		"src/p.egg-info/entry_points.x": {},
	})
	want := []string{"pyproject.toml", "src/p/__init__.py", "src/p/a/b.py", "src/p/py.typed"}
	if err != nil || !slices.Equal(files, want) {
		t.Errorf("%v, %v; want %v", files, err, want)
	}
}

func TestPluginWithoutSources(t *testing.T) {
	_, err := localStackPlugin(t.Context(), fstest.MapFS{"pyproject.toml": {}}, t.TempDir())
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err = %v", err)
	}
}

// TestUsersAWSStaysOut: a command that misses LocalStack must not reach the user's account.
func TestUsersAWSStaysOut(t *testing.T) {
	got := withoutVariables([]string{"PATH=/bin", "AWS_PROFILE=prod", "AWS_SESSION_TOKEN=x", "PYTHONPATH=/p"}, "AWS_", "PYTHON")
	if want := []string{"PATH=/bin"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestCheckout(t *testing.T) {
	top, err := Checkout()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(top, "go.mod")); err != nil {
		t.Error(err)
	}
	t.Chdir(t.TempDir())
	if top, err := Checkout(); err == nil {
		t.Errorf("outside of a checkout: %s", top)
	}
}

// TestCommandNamesItsDirectory: findProcess knows LocalStack again by it.
func TestCommandNamesItsDirectory(t *testing.T) {
	root := t.TempDir()
	t.Setenv(CacheEnv, root)
	plugin := fstest.MapFS{pluginRequirements: {Data: []byte("x==1\n")}, pluginProject: {}, "src/p.py": {}}
	venv := filepath.Join(root, "localstack-"+LocalStackVersion+"-"+shortHash([]byte("x==1\n")))
	if err := os.MkdirAll(venv, 0o755); err != nil {
		t.Fatal(err)
	}
	pythonScript(t, venvPython(venv), "exit 0")
	l, err := NewLocalStack(LocalStackOptions{Dir: t.TempDir(), Plugin: plugin, Env: []string{"DEBUG=1"}})
	if err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(l.Dir(), "state", "stale")
	if err := os.MkdirAll(stale, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd, err := l.command(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(cmd.Args, l.Dir()) {
		t.Errorf("command line %v does not name %s", cmd.Args, l.Dir())
	}
	for _, want := range []string{"DEBUG=1", "GATEWAY_LISTEN=" + keptAddr(l.Dir(), 0)} {
		if !slices.Contains(cmd.Env, want) {
			t.Errorf("no %s in its environment", want)
		}
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the state of an earlier start is still there: %v", err)
	}
	if l.Endpoint() != fmt.Sprint("http://", keptAddr(l.Dir(), 0)) {
		t.Errorf("endpoint %s", l.Endpoint())
	}
}
