package file

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

func TestClaims(t *testing.T) {
	dir := t.TempDir()
	c, err := OpenClaims(filepath.Join(dir, "claims"))
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte("x"), 300_000)
	var wg sync.WaitGroup
	refs := make([]string, 8)
	for i := range refs {
		wg.Go(func() {
			ref, err := c.Put(t.Context(), body)
			if err != nil {
				t.Error(err)
			}
			refs[i] = ref
		})
	}
	wg.Wait()
	for _, ref := range refs {
		if got, err := c.Get(t.Context(), ref); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	if n, _ := os.ReadDir(filepath.Join(dir, "claims")); len(n) != 1 {
		t.Errorf("%d files for the same bytes", len(n))
	}
	for _, ref := range []string{"", "../claims", "zz", "00"} {
		if _, err := c.Get(t.Context(), ref); fault.ReasonOf(err) != fault.ClaimMissing {
			t.Errorf("Get(%q): %v", ref, err)
		}
	}
	if err := c.Sweep(time.Now().Add(time.Hour), 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), refs[0]); err != nil {
		t.Errorf("swept too early: %v", err)
	}
	if err := c.Sweep(time.Now().Add(3*time.Hour), 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), refs[0]); fault.ReasonOf(err) != fault.ClaimMissing {
		t.Errorf("kept too long: %v", err)
	}
}
