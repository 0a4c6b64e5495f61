// Package file keeps claim-check bodies in files: the embedded stand-in for a bucket.
package file

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Claims keeps each body in a file named by its SHA-256, so that the same bytes are
// kept once, however often they are retried. It implements pipeline.Claims.
type Claims struct{ dir string }

// OpenClaims uses, and if need be makes, the directory.
func OpenClaims(dir string) (*Claims, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return &Claims{dir}, nil
}

// Put writes the body durably before its name appears.
func (c *Claims) Put(_ context.Context, body []byte) (string, error) {
	sum := sha256.Sum256(body)
	ref := hex.EncodeToString(sum[:])
	path := filepath.Join(c.dir, ref)
	if err := os.Chtimes(path, time.Time{}, time.Now()); err == nil {
		return ref, nil // there already; its age starts again
	}
	f, err := os.CreateTemp(c.dir, "new-")
	if err != nil {
		return "", err
	}
	_, err = f.Write(body)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		return ref, syncDir(c.dir)
	}
	_ = os.Remove(f.Name())
	return "", err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get reads a body. A reference comes out of a message, so it is checked before it is
// made a path.
func (c *Claims) Get(_ context.Context, ref string) ([]byte, error) {
	if b, err := hex.DecodeString(ref); err != nil || len(b) != sha256.Size {
		return nil, fault.New(fault.ClaimMissing, "%.80q is no reference", ref)
	}
	b, err := os.ReadFile(filepath.Join(c.dir, ref))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.ClaimMissing, "%s", ref)
	}
	return b, err
}

// Sweep deletes bodies older than keep, which must be longer than any message lives.
func (c *Claims) Sweep(now time.Time, keep time.Duration) error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < keep {
			continue
		}
		if err := os.Remove(filepath.Join(c.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("sweep claims: %w", err))
		}
	}
	return errors.Join(errs...)
}
