package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

const (
	pluginRequirements = "requirements.txt"
	pluginProject      = "pyproject.toml"
)

// localStackVenv is a Python environment with LocalStack and everything that the plugin's
// requirements pin. Other requirements make another one.
func localStackVenv(ctx context.Context, plugin fs.FS) (string, error) {
	requirements, err := fs.ReadFile(plugin, pluginRequirements)
	if err != nil {
		return "", fmt.Errorf("the plugin's sources: %w", err)
	}
	name := "localstack-" + LocalStackVersion + "-" + shortHash(requirements)
	dir, err := cached(ctx, name, func(ctx context.Context, dir string) error {
		python, err := findPythonFor(ctx, minPython)
		if err != nil {
			return err
		}
		// The folder gets its name when it is complete: of a moved environment the
		// interpreter runs, the scripts in bin do not. Only the interpreter is run here.
		if err := run(ctx, dir, python, "-m", "venv", dir); err != nil {
			return fmt.Errorf("make a Python environment (on Debian: apt-get install python3-venv): %w", err)
		}
		file := filepath.Join(dir, pluginRequirements)
		if err := os.WriteFile(file, requirements, 0o644); err != nil {
			return err
		}
		if err := pip(ctx, dir, "-r", file); err != nil {
			return fmt.Errorf("pip could not install it (is PyPI reached from here?): %w", err)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("no LocalStack: %w", err)
	}
	return dir, nil
}

// localStackPlugin is a folder with the installed plugin, for PYTHONPATH. It is apart from
// the environment, so that a changed plugin is installed in a second or two, beside the
// one that another LocalStack runs with.
func localStackPlugin(ctx context.Context, plugin fs.FS, venv string) (string, error) {
	files, err := pluginFiles(plugin)
	if err != nil {
		return "", fmt.Errorf("the plugin's sources: %w", err)
	}
	all := sha256.New()
	for _, name := range files {
		b, err := fs.ReadFile(plugin, name)
		if err != nil {
			return "", fmt.Errorf("the plugin's sources: %w", err)
		}
		fmt.Fprintf(all, "%s %d\n%s", name, len(b), b)
	}
	name := "localstack-plugin-" + shortHash(all.Sum([]byte(venv)))
	dir, err := cached(ctx, name, func(ctx context.Context, dir string) error {
		return installPlugin(ctx, plugin, files, venv, dir)
	})
	if err != nil {
		return "", fmt.Errorf("the plugin for LocalStack does not install: %w", err)
	}
	return dir, nil
}

func installPlugin(ctx context.Context, plugin fs.FS, files []string, venv, dir string) error {
	// pip leaves build/ and egg-info beside the sources that it builds from.
	sources, err := os.MkdirTemp("", "millrace-plugin-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(sources)
	for _, name := range files {
		b, err := fs.ReadFile(plugin, name)
		if err != nil {
			return err
		}
		target := filepath.Join(sources, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, b, 0o644); err != nil {
			return err
		}
	}
	return pip(ctx, venv, "--no-deps", "--no-build-isolation", "--target", dir, sources)
}

// pluginFiles are the files that the plugin is built from, sorted.
func pluginFiles(plugin fs.FS) ([]string, error) {
	files := []string{pluginProject}
	err := fs.WalkDir(plugin, "src", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.Contains([]string{".py", ".typed", ".pyi", ".json"}, path.Ext(name)) {
			files = append(files, name)
		}
		return err
	})
	slices.Sort(files)
	return files, err
}

// pip runs `pip install` of a Python environment.
func pip(ctx context.Context, venv string, args ...string) error {
	args = append([]string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"}, args...)
	return run(ctx, "", venvPython(venv), args...)
}

func venvPython(venv string) string { return filepath.Join(venv, "bin", "python") }

func shortHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}
