package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	eventstore "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/store"
	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/ops"
)

var update = flag.Bool("update", false, "write what commands print into testdata and docs")

func TestMain(m *testing.M) {
	testscript.Main(runner(m), map[string]func(){"millrace": main})
}

// TestScripts drives the real commands: testdata/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", "atexit_sleep_ms=0") // else a process with the race detector ends a second late
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"kafka":         startKafka,
			"kafka-records": kafkaRecords,
			"kafka-delete":  kafkaDelete,
			"queue-message": queueMessage,
			"store-events":  storeEvents,
			"big-event":     bigEvent,
			"running":       waitRunning,
			"settled":       waitSettled,
		},
	})
}

// startKafka starts a broker with the topic that it is given, at $KAFKA.
func startKafka(ts *testscript.TestScript, _ bool, args []string) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, args[0]))
	ts.Check(err)
	ts.Defer(c.Close)
	ts.Setenv("KAFKA", strings.Join(c.ListenAddrs(), ","))
}

// kafkaRecords TOPIC N FILE waits for N records and writes their keys and values, one a
// line.
func kafkaRecords(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(ts.Getenv("KAFKA"), ",")...), kgo.ConsumeTopics(args[0]))
	ts.Check(err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var b strings.Builder
	for n > 0 {
		fetches := client.PollFetches(ctx)
		ts.Check(fetches.Err0())
		fetches.EachRecord(func(r *kgo.Record) {
			fmt.Fprintf(&b, "%s|%s\n", r.Key, r.Value)
			n--
		})
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(b.String()), 0o644))
}

// storeEvents DIR FILE makes a data directory whose store has the events of the file.
func storeEvents(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(storeLines(ts.MkAbs(args[0]), ts.ReadFile(args[1])))
}

func seed(t *testing.T, dir, lines string) {
	t.Helper()
	if err := storeLines(dir, lines); err != nil {
		t.Fatal(err)
	}
}

// storeLines makes a data directory whose store has the events, received on 1 January
// 2026 and stored a second later.
func storeLines(dir, lines string) (err error) {
	ctx := context.Background()
	d, err := embedded.OpenData(ctx, embedded.DataOptions{Dir: dir, Create: true})
	if err != nil {
		return err
	}
	if err := d.Close(); err != nil {
		return err
	}
	now := time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC)
	events, err := eventstore.Open(ctx, filepath.Join(dir, "events.db"), eventstore.Options{Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	var batch []event.Event
	for line := range strings.Lines(lines) {
		e, err := event.Parse([]byte(strings.TrimSpace(line)))
		if err != nil {
			return err
		}
		batch = append(batch, e.Stamp(now.Add(-time.Second).UnixMilli()))
	}
	_, err = events.Write(ctx, batch)
	return err
}

// bigEvent FILE BYTES writes an event of that size.
func bigEvent(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	const form = `{"specversion":"1.0","id":"big","source":"/test","type":"com.example.big","data":"%s"}`
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs("."), args[0]), fmt.Appendf(nil, form, strings.Repeat("x", n+2-len(form))), 0o644))
}

// waitRunning DIR waits until a pipeline runs there, and sets $PID, $HTTP and $KAFKA.
func waitRunning(ts *testscript.TestScript, _ bool, args []string) {
	var r embedded.Running
	eventually(ts, func() (err error) {
		r, err = embedded.Find(ts.MkAbs(args[0]))
		return err
	})
	ts.Setenv("PID", strconv.Itoa(r.PID))
	ts.Setenv("HTTP", "http://"+r.HTTP+"/events")
	ts.Setenv("KAFKA", strings.Join(r.Kafka, ","))
}

// waitSettled DIR IN PERSISTED DEAD waits until the status says so and nothing is on its way.
func waitSettled(ts *testscript.TestScript, _ bool, args []string) {
	eventually(ts, func() error {
		var out, errs bytes.Buffer
		e := processEnv()
		e.stdout, e.stderr = &out, &errs
		if code := execute(context.Background(), e, []string{"status", "--json", "--data", ts.MkAbs(args[0])}); code != exitOK {
			return fmt.Errorf("exit code %d: %s", code, &errs)
		}
		var s ops.Status
		if err := json.Unmarshal(out.Bytes(), &s); err != nil {
			return err
		}
		if s.InFlight == nil || fmt.Sprint(*s.In, *s.Persisted, *s.Dead, *s.InFlight) != strings.Join(append(args[1:], "0"), " ") {
			return fmt.Errorf("still %s", &out)
		}
		return nil
	})
}

// eventually calls ok until it returns nil, for 30 s at most.
func eventually(ts *testscript.TestScript, ok func() error) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
