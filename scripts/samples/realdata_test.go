package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/stage/process"
)

func processStage(t testing.TB) *process.Stage {
	t.Helper()
	registry, err := handlers.New(handlers.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := process.New(process.Options{Handlers: registry, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// do runs events through the stage in batches of 500 and returns what goes on: exactly
// one event for each, in order.
func do(t testing.TB, s *process.Stage, events []event.Event) []event.Event {
	t.Helper()
	var out []event.Event
	for len(events) > 0 {
		batch := events[:min(500, len(events))]
		events = events[len(batch):]
		outs := s.Do(context.Background(), batch)
		if len(outs) != len(batch) {
			t.Fatalf("%d outcomes for %d events", len(outs), len(batch))
		}
		for i, o := range outs {
			if o.Err != nil || o.Dropped != "" || len(o.Forward) != 1 || o.Forward[0].Key() != batch[i].Key() {
				t.Fatalf("%v: %d events, dropped %q, %v", batch[i].Key(), len(o.Forward), o.Dropped, o.Err)
			}
			out = append(out, o.Forward[0])
		}
	}
	return out
}

// All flights of January 2013 through the process stage, counted against the table
// itself: the counts below come from its cells, not from the events.
func TestJanuaryThroughTheStage(t *testing.T) {
	table := gunzip(t, filepath.Join(sharedData(t), "flights-2013-01.csv.gz"))
	var events []event.Event
	for f, err := range flights(bytes.NewReader(table)) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	got := map[string]int{}
	keys := map[event.Key]bool{}
	for _, e := range do(t, processStage(t), events) {
		var data struct {
			Class string `json:"delay_class"`
		}
		if err := json.Unmarshal(e.Data(), &data); err != nil {
			t.Fatal(err)
		}
		got[e.Type()+" "+data.Class]++
		keys[e.Key()] = true
	}
	want := countTable(t, table)
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if len(keys) != 27004 || want["gov.bts.flight.cancelled "] != 521 {
		t.Errorf("%d distinct flights, %d cancelled, want 27004 and 521", len(keys), want["gov.bts.flight.cancelled "])
	}
}

// countTable counts the classes from the cells dep_time (column 4) and dep_delay (6).
func countTable(t testing.TB, table []byte) map[string]int {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, row := range rows[1:] {
		if row[3] == "" || row[3] == "NA" {
			n["gov.bts.flight.cancelled "]++
			continue
		}
		delay, err := strconv.Atoi(row[5])
		if err != nil {
			t.Fatal(err)
		}
		class := "severe"
		switch {
		case delay < 0:
			class = "early"
		case delay <= 14:
			class = "on_time"
		case delay <= 59:
			class = "delayed"
		}
		n["gov.bts.flight.departed "+class]++
	}
	return n
}

// All webhooks through the process stage: the extensions equal what encoding/json finds
// in the payload, and the payload keeps its bytes.
func TestWebhooksThroughTheStage(t *testing.T) {
	packed := bytes.NewReader(read(t, filepath.Join(sharedData(t), "github-webhooks.ndjson.gz")))
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	var events []event.Event
	lines := bufio.NewReader(unpacked)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			events = append(events, webhookEvent(t, line))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	actors, repositories := 0, 0
	distinct := map[event.Key]bool{}
	for i, e := range do(t, processStage(t), events) {
		distinct[e.Key()] = true
		var payload struct {
			Sender     *struct{ Login string }
			Repository *struct {
				FullName string `json:"full_name"`
			}
		}
		if err := json.Unmarshal(e.Data(), &payload); err != nil {
			t.Fatal(err)
		}
		actor, hasActor := e.Attr("actor")
		repository, hasRepository := e.Attr("repository")
		if hasActor != (payload.Sender != nil) || hasActor && actor != payload.Sender.Login {
			t.Errorf("%s: actor %q, payload has %+v", e.Type(), actor, payload.Sender)
		}
		if hasRepository != (payload.Repository != nil) || hasRepository && repository != payload.Repository.FullName {
			t.Errorf("%s: repository %q, payload has %+v", e.Type(), repository, payload.Repository)
		}
		if !bytes.Equal(e.Data(), events[i].Data()) || e.Type() != events[i].Type() {
			t.Errorf("%s: the payload or the type changed", e.Type())
		}
		if hasActor {
			actors++
		}
		if hasRepository {
			repositories++
		}
	}
	if len(events) != 197 || len(distinct) != 195 || actors != 193 || repositories != 166 {
		t.Errorf("%d events, %d distinct, %d with actor, %d with repository; want 197, 195, 193, 166",
			len(events), len(distinct), actors, repositories)
	}
}

// webhookEvent makes a CloudEvent of one line of the webhooks file.
func webhookEvent(t testing.TB, line []byte) event.Event {
	t.Helper()
	var hook struct {
		Event   string
		Payload json.RawMessage
	}
	if err := json.Unmarshal(line, &hook); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(line)
	e, err := event.New("https://github.com/", hex.EncodeToString(sum[:16]), "com.github."+hook.Event).Data(hook.Payload).Build()
	if err != nil {
		t.Fatal(err)
	}
	return e
}
