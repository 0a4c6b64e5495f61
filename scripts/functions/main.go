// Command functions builds the Lambda functions: for each function and architecture a
// zip that holds one file, bootstrap, as the runtime provided.al2023 wants it. The same
// commit gives the same bytes: fixed timestamps, no build id, no paths.
//
// usage: go run ./scripts/functions [-out DIR] [-arch arm64,amd64] [FUNCTION …]
package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// maxZip is the most a function's zip may have: a larger one starts slower.
const maxZip = 8 << 20

// stamp is the time of every file in a zip.
var stamp = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func main() {
	out := flag.String("out", "build/functions", "where the zips go")
	archs := flag.String("arch", "arm64,amd64", "GOARCH values, comma-separated")
	flag.Parse()
	if err := run(*out, strings.Split(*archs, ","), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "functions:", err)
		os.Exit(1)
	}
}

func run(out string, archs, names []string) error {
	if len(names) == 0 {
		mains, err := filepath.Glob("functions/*/main.go")
		if err != nil {
			return err
		}
		for _, m := range mains {
			names = append(names, filepath.Base(filepath.Dir(m)))
		}
	}
	if len(names) == 0 {
		return errors.New("no functions/*/main.go here: run it at the top of the repository")
	}
	for _, name := range names {
		for _, arch := range archs {
			if err := build(out, name, arch); err != nil {
				return err
			}
		}
	}
	return nil
}

func build(out, name, arch string) error {
	tmp, err := os.MkdirTemp("", "millrace-function-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	bin := filepath.Join(tmp, "bootstrap")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc",
		"-ldflags", "-s -w -buildid=", "-o", bin, "./functions/"+name)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s for %s: %w", name, arch, err)
	}
	data, err := os.ReadFile(bin)
	if err != nil {
		return err
	}
	z, err := archive(data)
	if err != nil {
		return err
	}
	if len(z) > maxZip {
		return fmt.Errorf("%s for %s: the zip has %d bytes, the limit is %d", name, arch, len(z), maxZip)
	}
	path := filepath.Join(out, arch, name+".zip")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	fmt.Printf("%s  %4.1f MB  sha256 %.12x\n", path, float64(len(z))/1e6, sha256.Sum256(z))
	return os.WriteFile(path, z, 0o644)
}

func archive(bootstrap []byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: stamp}
	h.SetMode(0o755)
	f, err := w.CreateHeader(h)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(bootstrap); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
