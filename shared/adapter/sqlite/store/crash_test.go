package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// crashChildEnv makes the test binary the writer that TestKill9 kills; it holds the
// store's path.
const (
	crashChildEnv = "MILLRACE_TEST_STORE_CRASH_CHILD"
	crashBatch    = 30
)

func crashOptions() Options {
	return Options{Aggregate: func(typ string) bool { return strings.HasPrefix(typ, "asks.") }}
}

// crashEvents are the events [from, from+crashBatch).
func crashEvents(from int) ([]event.Event, error) {
	batch := make([]event.Event, crashBatch)
	for i := range batch {
		n := from + i
		e, err := event.Parse(fmt.Appendf(nil,
			`{"specversion":"1.0","id":"%08d","source":"/crash","type":"%s","subject":"s-%d","tenantid":"t-%d","time":"2026-01-01T%02d:00:00Z","data":{"n":%d}}`,
			n, []string{"asks.a", "asks.b", "plain"}[n%3], n%17, n%5, n%24, n))
		if err != nil {
			return nil, err
		}
		batch[i] = e
	}
	return batch, nil
}

// crashChild writes batches until it is killed. It begins a bit before where the last
// one was killed, and says what it is about to write and what is written.
func crashChild(path string) int {
	s, err := Open(context.Background(), path, crashOptions())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s.layout.sealSegments = 5
	n, err := s.Count(context.Background(), store.Filter{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for from := max(0, int(n)-2*crashBatch); ; from += crashBatch {
		batch, err := crashEvents(from)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println("write", from)
		if _, err := s.Write(context.Background(), batch); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println("written", from+crashBatch)
	}
}

// TestKill9 kills a writing process at random moments. What it was told is written is
// there, whole batches only, and counters and aggregates equal a rebuild.
func TestKill9(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)) // the moments are random in any case
	kills := 8
	if testing.Short() {
		kills = 2
	}
	acked := 0
	for range kills {
		acked = max(acked, runAndKill(t, path, 1+r.IntN(40)))
		verifyCrashed(t, path, acked)
	}
	if acked < crashBatch*kills/4 {
		t.Errorf("only %d events were written: the children hardly ran", acked)
	}
}

// runAndKill starts a writer, kills it after it has said some lines, and returns how many
// events it said are written.
func runAndKill(t *testing.T, path string, lines int) (acked int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := osexec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), crashChildEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(out)
	killed := false
	for n := 1; scan.Scan(); n++ { // also what it said before the kill reached it
		if word, number, _ := strings.Cut(scan.Text(), " "); word == "written" {
			if acked, err = strconv.Atoi(number); err != nil {
				t.Fatal(err)
			}
		}
		if n == lines {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || !killed {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	return acked
}

func verifyCrashed(t *testing.T, path string, acked int) {
	t.Helper()
	ctx := t.Context()
	s, err := Open(ctx, path, crashOptions())
	if err != nil {
		t.Fatalf("open after the kill: %v", err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	n, err := s.Count(ctx, store.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if int(n) < acked || n%crashBatch != 0 {
		t.Errorf("%d events after the kill; %d were acknowledged, in batches of %d", n, acked, crashBatch)
	}
	got := listed(t, s)
	if len(got) != int(n) {
		t.Errorf("%d events listed, %d counted", len(got), n)
	}
	for from := 0; from < int(n); from += crashBatch {
		batch, err := crashEvents(from)
		if err != nil {
			t.Fatal(err)
		}
		for i := range batch {
			if got[batch[i].ID()] != string(batch[i].JSON()) {
				t.Fatalf("event %d of %d after the kill: %q", from+i, n, got[batch[i].ID()])
			}
		}
		if _, err := s.Get(ctx, batch[0].Key()); err != nil {
			t.Fatalf("event %d of %d after the kill: %v", from, n, err)
		}
	}
	if by17, err := s.Count(ctx, store.Filter{Subject: "s-3"}); err != nil || by17 != (n+13)/17 {
		t.Errorf("%d events of one subject, %v; want %d", by17, err, (n+13)/17)
	}
	if differed, err := s.Rebuild(ctx); err != nil || differed != 0 {
		t.Errorf("a rebuild after the kill corrected %d entries, %v", differed, err)
	}
}

// listed is every event's JSON by id.
func listed(t *testing.T, s *Store) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for cursor := ""; ; {
		page, err := s.List(t.Context(), store.Filter{}, 1000, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Records {
			out[page.Records[i].Event.ID()] = string(page.Records[i].Event.JSON())
		}
		if cursor = page.Next; cursor == "" {
			return out
		}
	}
}
