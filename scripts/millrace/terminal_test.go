package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const testEvent = `{"specversion":"1.0","id":"1","source":"/test","type":"com.example.test"}` + "\n"

// call runs a command line in this process.
func call(ctx context.Context, terminal bool, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	e := env{stdin: stdin, stdout: &out, stderr: &errs, now: time.Now, isTerminal: func(any) bool { return terminal }}
	code = execute(ctx, e, args)
	return code, out.String(), errs.String()
}

func accepting(t *testing.T, then func()) (url string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		then()
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// People see a progress bar, that is gone at the end; programs see nothing of it.
func TestSendProgress(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(file, []byte(strings.Repeat(testEvent, 25_000)), 0o644); err != nil {
		t.Fatal(err)
	}
	url := accepting(t, func() {})
	code, stdout, stderr := call(t.Context(), true, nil, "send", "--http", url, file)
	if code != exitOK || !strings.HasPrefix(stdout, "sent 25,000 events to "+url+"/events in ") {
		t.Errorf("%d %s", code, stdout)
	}
	if !strings.Contains(stderr, "10,000 events") || !strings.HasSuffix(stderr, "\r") {
		t.Errorf("standard error is %q", stderr)
	}
	if _, _, stderr := call(t.Context(), false, nil, "send", "--http", url, file); stderr != "" {
		t.Errorf("a program is shown %q", stderr)
	}
}

// An interrupt in the middle of a stream says what has been sent.
func TestSendInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer r.Close()
	go func() { _, _ = io.WriteString(w, testEvent) }()
	code, stdout, stderr := call(ctx, false, r, "send", "--http", accepting(t, cancel), "-")
	if code != exitInterrupted || !strings.HasPrefix(stdout, "sent 1 event to ") {
		t.Errorf("%d %s", code, stdout)
	}
	if want := "millrace: interrupted; the lines up to line 1 are done, send the rest again\n"; stderr != want {
		t.Errorf("standard error is %q", stderr)
	}
}

// What a person looks at has more than the JSON that a program reads.
func TestOnATerminal(t *testing.T) {
	dir := t.TempDir()
	seed(t, dir, `{"specversion":"1.0","id":"1","source":"/test","type":"com.example.test"}`)
	code, stdout, stderr := call(t.Context(), true, nil, "events", "get", "1", "--data", dir)
	if code != exitOK || !strings.HasPrefix(stdout, "{\n") || !strings.HasPrefix(stderr, "COMPLETED, received 2026-01-01T00:00:00Z, stored 2026-01-01T00:00:01Z (after 1.00 s)") {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	code, stdout, stderr = call(ctx, true, nil, "status", "--watch", "--every", "100ms", "--data", dir)
	if code != exitOK || strings.Count(stdout, clearScreen+"nothing is running in ") < 2 {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
}

// An error is one line, whatever text is in it.
func TestFinishWritesOneLine(t *testing.T) {
	var errs bytes.Buffer
	code := finish(env{stderr: &errs}, io.ErrUnexpectedEOF)
	code2 := finish(env{stderr: &errs}, usageError("bad\nnews\x1b[31m"))
	if code != exitFailure || code2 != exitUsage || errs.String() != "millrace: unexpected EOF\nmillrace: bad; news [31m\n" {
		t.Errorf("%d %d %q", code, code2, errs.String())
	}
}
