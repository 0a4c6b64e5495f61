package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pythonVersion is major and minor.
type pythonVersion [2]int

func (v pythonVersion) String() string { return fmt.Sprintf("%d.%d", v[0], v[1]) }

// minPython is the oldest that LocalStack 4.14.0 runs on with CloudWatch: it imports
// warnings.deprecated, which is new in 3.13.
var minPython = pythonVersion{3, 13}

// findPythonFor is the first Python that runs, is new enough and can make environments.
// A python3.13 on the PATH may be a shim of pyenv that only says "command not found",
// with the interpreter itself not on the PATH: pyenv's own folder is searched last.
func findPythonFor(ctx context.Context, least pythonVersion) (string, error) {
	var tried []string
	for _, name := range pythonCandidates(least) {
		version, err := versionOfPython(ctx, name)
		if err == nil && slices.Compare(version[:], least[:]) < 0 {
			err = fmt.Errorf("is Python %s", version)
		}
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, exec.ErrNotFound) {
			tried = append(tried, name+" "+err.Error())
		}
	}
	hint := "set PYTHON to one"
	if len(tried) > 0 {
		hint += "; " + strings.Join(tried, "; ")
	}
	return "", fmt.Errorf("it needs Python %s or newer with venv, and none was found (%s)", least, hint)
}

func pythonCandidates(least pythonVersion) []string {
	var names []string
	if p := os.Getenv("PYTHON"); p != "" {
		names = append(names, p)
	}
	// The version that the pins are made with comes first.
	names = append(names, "python"+least.String(), "python"+pythonVersion{least[0], least[1] + 1}.String(), "python3")
	root := os.Getenv("PYENV_ROOT")
	if root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return names
		}
		root = filepath.Join(home, ".pyenv")
	}
	installed, err := filepath.Glob(filepath.Join(root, "versions", "3.*", "bin", "python"))
	if err != nil {
		return names
	}
	return append(names, installed...)
}

// versionOfPython runs a Python, with the modules that an environment needs.
func versionOfPython(ctx context.Context, name string) (v pythonVersion, err error) {
	cmd := exec.CommandContext(ctx, name, "-c", "import sys, venv, ensurepip; print(sys.version_info[0], sys.version_info[1])")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			lines := bytes.Split(bytes.TrimSpace(exit.Stderr), []byte("\n"))
			return v, fmt.Errorf("fails: %s", lines[len(lines)-1])
		}
		return v, err
	}
	f := strings.Fields(string(out))
	if len(f) != len(v) {
		return v, fmt.Errorf("does not say its version: %q", out)
	}
	for i := range v {
		if v[i], err = strconv.Atoi(f[i]); err != nil {
			return v, fmt.Errorf("does not say its version: %q", out)
		}
	}
	return v, nil
}
