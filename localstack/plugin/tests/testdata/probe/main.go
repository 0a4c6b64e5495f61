// Command probe is the function under test: it does what its event tells it to, so that the
// plugin's tests see what a function sees and how each way of failing is reported.
//
// It runs on the machine of the tests, so it talks to them through files: PROBE_EVENTS gets
// each Kafka event as a line of JSON; PROBE_ORDERS, where it exists, says how to answer them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func main() {
	if text := os.Getenv("PROBE_INIT_FAILS"); text != "" {
		fmt.Fprintln(os.Stderr, text)
		os.Exit(3)
	}
	if os.Getenv("PROBE_IGNORES_SIGTERM") != "" {
		signal.Ignore(syscall.SIGTERM)
	}
	lambda.Start(handle)
}

// event is a direct invocation, or a Kafka event if it has an eventSource.
type event struct {
	Do     string `json:"do"`
	Amount int    `json:"amount"` // of bytes or milliseconds
	Text   string `json:"text"`
	Touch  string `json:"touch"` // file to make when the work begins

	EventSource string `json:"eventSource"`
	Records     map[string][]struct {
		Offset int64 `json:"offset"`
	} `json:"records"`
}

func handle(ctx context.Context, raw json.RawMessage) (any, error) {
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	if e.EventSource != "" {
		return consume(raw, e)
	}
	if e.Touch != "" {
		if err := appendLine(e.Touch, nil); err != nil {
			return nil, err
		}
	}
	switch e.Do {
	case "sleep":
		time.Sleep(time.Duration(e.Amount) * time.Millisecond)
	case "exit":
		fmt.Println(e.Text)
		os.Exit(e.Amount)
	case "panic":
		panic(e.Text)
	case "fail":
		return nil, errors.New(e.Text)
	case "respond":
		return strings.Repeat("x", e.Amount), nil
	case "allocate":
		return touch(e.Amount), nil
	case "log":
		fmt.Println("out: " + e.Text)
		fmt.Fprintln(os.Stderr, "err: "+e.Text)
	case "log later":
		go func() {
			time.Sleep(time.Duration(e.Amount) * time.Millisecond)
			fmt.Println(e.Text)
		}()
	}
	return describe(ctx)
}

// touch uses memory: pages that are never written are never resident.
func touch(bytes int) int {
	memory := make([]byte, bytes)
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	return len(memory)
}

// describe returns what the function sees of its invocation.
func describe(ctx context.Context) (any, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return map[string]any{
		"pid":          os.Getpid(),
		"requestId":    lc.AwsRequestID,
		"functionArn":  lc.InvokedFunctionArn,
		"custom":       lc.ClientContext.Custom,
		"remainingMs":  time.Until(deadline).Milliseconds(),
		"logGroup":     lambdacontext.LogGroupName,
		"environment":  os.Getenv("PROBE_NAME"),
		"taskRoot":     os.Getenv("LAMBDA_TASK_ROOT"),
		"memoryMB":     lambdacontext.MemoryLimitInMB,
		"functionName": lambdacontext.FunctionName,
		"version":      lambdacontext.FunctionVersion,
	}, nil
}

// orders say which records of an event to report as failed.
type orders struct {
	Fail      []string `json:"fail"`      // "topic-partition@offset": the whole event fails if it has one
	Report    []string `json:"report"`    // these are reported as failed in a partial batch response
	Malformed bool     `json:"malformed"` // report a record that is not in the event
}

type identifier struct {
	Partition string `json:"partition"`
	Offset    int64  `json:"offset"`
}

func consume(raw json.RawMessage, e event) (any, error) {
	if err := appendLine(os.Getenv("PROBE_EVENTS"), raw); err != nil {
		return nil, err
	}
	var o orders
	text, err := os.ReadFile(os.Getenv("PROBE_ORDERS"))
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	failed := []map[string]identifier{}
	for partition, records := range e.Records {
		for _, r := range records {
			name := fmt.Sprintf("%s@%d", partition, r.Offset)
			if slices.Contains(o.Fail, name) {
				return nil, fmt.Errorf("ordered to fail at %s", name)
			}
			if slices.Contains(o.Report, name) {
				failed = append(failed, map[string]identifier{"itemIdentifier": {partition, r.Offset}})
			}
		}
	}
	if o.Malformed {
		failed = append(failed, map[string]identifier{"itemIdentifier": {"nowhere-0", 0}})
	}
	return map[string]any{"batchItemFailures": failed}, nil
}

func appendLine(path string, line []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}
