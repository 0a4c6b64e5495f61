package main

import (
	"context"
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
)

var update = flag.Bool("update", false, "write what commands print into testdata and docs")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"millrace": main})
}

// TestScripts drives the real commands: testdata/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"kafka":         startKafka,
			"kafka-records": kafkaRecords,
			"store-events":  storeEvents,
			"big-event":     bigEvent,
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
	ctx := context.Background()
	dir := ts.MkAbs(args[0])
	d, err := embedded.OpenData(ctx, dir, true, nil)
	ts.Check(err)
	ts.Check(d.Close())
	now := func() time.Time { return time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC) }
	events, err := eventstore.Open(ctx, filepath.Join(dir, "events.db"), eventstore.Options{Now: now})
	ts.Check(err)
	defer func() { ts.Check(events.Close()) }()
	var batch []event.Event
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		e, err := event.Parse([]byte(strings.TrimSpace(line)))
		ts.Check(err)
		batch = append(batch, e.Stamp(now().Add(-time.Second).UnixMilli()))
	}
	_, err = events.Write(ctx, batch)
	ts.Check(err)
}

// bigEvent FILE BYTES writes an event of that size.
func bigEvent(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	const form = `{"specversion":"1.0","id":"big","source":"/test","type":"com.example.big","data":"%s"}`
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs("."), args[0]), fmt.Appendf(nil, form, strings.Repeat("x", n+2-len(form))), 0o644))
}
