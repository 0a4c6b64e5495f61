package metrics

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

const childFile = "MILLRACE_TEST_METRICS_FILE"

// TestKill9Child is the process that TestKill9 kills: it records and says how much it
// has flushed.
func TestKill9Child(t *testing.T) {
	path := os.Getenv(childFile)
	if path == "" {
		t.Skip("started by TestKill9")
	}
	rec, err := Open(context.Background(), path, Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n++ {
		rec.Record(&pipeline.Report{Stage: spec.Persist, Events: 1, Latency: []time.Duration{time.Millisecond}})
		if n%10 != 0 {
			continue
		}
		if err := rec.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("flushed %d\n", n)
	}
}

// What a Flush that returned has written is there after kill -9, once, and the file
// needs no repair.
func TestKill9(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.db")
	atLeast := 0
	for range 3 {
		child := exec.Command(os.Args[0], "-test.run=^TestKill9Child$")
		child.Env = append(os.Environ(), childFile+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		flushed, lines := 0, 0
		for s := bufio.NewScanner(out); s.Scan(); {
			var n int
			if _, err := fmt.Sscanf(s.Text(), "flushed %d", &n); err == nil {
				flushed = n
				if lines++; lines == 20 {
					_ = child.Process.Kill() // what it had printed before is still read
				}
			}
		}
		_ = child.Wait()
		if flushed == 0 {
			t.Fatal("the child flushed nothing")
		}
		atLeast += flushed
		p := total(t, (&fixture{path: path}).reader(t), spec.BatchSize, spec.Persist)
		// Of each killed child at most one flush of ten was written and not printed.
		if p.Count < int64(atLeast) || p.Count > int64(atLeast)+10 {
			t.Errorf("%d reports in the file, want %d to %d", p.Count, atLeast, atLeast+10)
		}
		atLeast = int(p.Count)
	}
}
