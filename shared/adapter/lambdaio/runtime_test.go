package lambdaio

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// functionEnv makes the test binary a Lambda function for TestStart.
const functionEnv = "MILLRACE_TEST_LAMBDA_FUNCTION"

func TestMain(m *testing.M) {
	if os.Getenv(functionEnv) != "" {
		Start(testFunction, func() { fmt.Println("flushed") })
	}
	os.Exit(m.Run())
}

type functionAnswer struct {
	RequestID string
	Deadline  time.Time
	Direct    string
}

// testFunction answers with what the runtime gave it.
func testFunction(ctx context.Context, payload []byte) ([]byte, error) {
	in, err := Decode(payload)
	if err != nil {
		return nil, err
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil, errors.New("no deadline")
	}
	return json.Marshal(functionAnswer{RequestID(ctx), deadline, string(in.Direct)})
}

// posted is what a function sent to the Runtime API.
type posted struct{ path, body string }

// runtimeAPI is Lambda's Runtime API (AWS Lambda Developer Guide, "Using the Lambda
// runtime API") and as much of the Extensions API as enabling SIGTERM takes.
func runtimeAPI(payloads []string, deadline time.Time, answers chan<- posted, done <-chan struct{}) http.Handler {
	invocations := make(chan int, len(payloads))
	for i := range payloads {
		invocations <- i
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, _ *http.Request) {
		select {
		case i := <-invocations:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprintf("request-%d", i))
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(deadline.UnixMilli()))
			_, _ = io.WriteString(w, payloads[i])
		case <-done:
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		answers <- posted{strings.TrimPrefix(r.URL.Path, "/2018-06-01/runtime/invocation/"), string(body)}
	})
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "extension")
		_, _ = io.WriteString(w, "{}")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(http.ResponseWriter, *http.Request) { <-done })
	return mux
}

// TestStart runs a function as Lambda does: payload, request id and deadline in, answer
// or error out, flush on SIGTERM.
func TestStart(t *testing.T) {
	deadline := time.UnixMilli(time.Now().Add(time.Minute).UnixMilli())
	answers, done := make(chan posted, 2), make(chan struct{})
	server := httptest.NewServer(runtimeAPI([]string{`{"n":1}`, `[]`}, deadline, answers, done))
	defer server.Close()
	defer close(done)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	function := exec.CommandContext(ctx, os.Args[0])
	function.Env = append(os.Environ(), functionEnv+"=1", "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"))
	function.Stderr = io.Discard
	stdout, err := function.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := function.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = function.Process.Kill(); _ = function.Wait() }()

	var got functionAnswer
	answer := receive(ctx, t, answers)
	if err := json.Unmarshal([]byte(answer.body), &got); err != nil {
		t.Fatal(answer, err)
	}
	if answer.path != "request-0/response" || got.RequestID != "request-0" || got.Direct != `{"n":1}` || !got.Deadline.Equal(deadline) {
		t.Errorf("first invocation: %+v, %+v", answer, got)
	}
	answer = receive(ctx, t, answers)
	if answer.path != "request-1/error" || !strings.Contains(answer.body, "expected a JSON object") {
		t.Errorf("second invocation: %+v", answer)
	}
	if err := function.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "flushed\n" {
		t.Errorf("after SIGTERM: %q, %v", line, err)
	}
}

func receive(ctx context.Context, t *testing.T, answers <-chan posted) posted {
	t.Helper()
	select {
	case a := <-answers:
		return a
	case <-ctx.Done():
		t.Fatal("the function did not answer")
		return posted{}
	}
}
