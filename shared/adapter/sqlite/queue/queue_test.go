package queue_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sqlite "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/queue"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// withClock makes a broker whose time stands still.
func withClock(t *testing.T, configs map[string]queue.Config, order ...string) (*sqlite.Broker, *clock, map[string]queue.Queue) {
	t.Helper()
	c := newClock()
	b := open(t, filepath.Join(t.TempDir(), "queues.db"), sqlite.Options{Now: c.Now})
	return b, c, createQueues(t, b, configs, order...)
}

func createQueues(t *testing.T, b *sqlite.Broker, configs map[string]queue.Config, order ...string) map[string]queue.Queue {
	t.Helper()
	queues := make(map[string]queue.Queue)
	for _, name := range order {
		if err := b.Create(t.Context(), name, configs[name]); err != nil {
			t.Fatal(err)
		}
		q, err := b.Queue(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		queues[name] = q
	}
	return queues
}

func receive(t *testing.T, q queue.Queue, n int) []queue.Received {
	t.Helper()
	msgs, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: queue.MaxBatch})
	if err != nil || len(msgs) != n {
		t.Fatalf("received %d messages, want %d: %v", len(msgs), n, err)
	}
	return msgs
}

func depth(t *testing.T, b *sqlite.Broker, name string) queue.Depth {
	t.Helper()
	depths, err := b.Depths(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return depths[name]
}

// Retention counts from the sending; a dead letter keeps that time (as in SQS standard
// queues), a move back starts it again, so that a message does not expire on its way.
func TestRetention(t *testing.T) {
	const day = 24 * time.Hour
	b, c, q := withClock(t, map[string]queue.Config{
		"dead": {Retention: 14 * day}, "work": {DLQ: "dead", MaxReceives: 1},
	}, "dead", "work")
	mustSend(t, q["work"], queue.Message{Body: []byte("expires")}, queue.Message{Body: []byte("dies")})
	for _, m := range receive(t, q["work"], 2) {
		if string(m.Body) == "dies" {
			if err := q["work"].ChangeVisibility(t.Context(), m.Receipt, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	receive(t, q["work"], 0) // redrives
	c.Advance(4*day - time.Second)
	if d := depth(t, b, "work"); d.Total() != 1 || d.Oldest != 4*day-time.Second {
		t.Errorf("a second before its time: %+v", d)
	}
	c.Advance(time.Second)
	if d := depth(t, b, "work"); d != (queue.Depth{}) {
		t.Errorf("after the retention: %+v", d)
	}
	receive(t, q["work"], 0)

	c.Advance(9 * day)
	if d := depth(t, b, "dead"); d.Visible != 1 || d.Oldest != 13*day {
		t.Errorf("the dead letter: %+v", d)
	}
	if _, err := b.StartMove(t.Context(), "dead", queue.MoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if m := endOfMove(t, b, "dead"); m.Moved != 1 {
		t.Fatalf("move: %+v", m)
	}
	if m := receive(t, q["work"], 1)[0]; string(m.Body) != "dies" || !m.Sent.Equal(c.Now()) {
		t.Errorf("moved back: %q, sent %v", m.Body, m.Sent)
	}
}

// Expired messages are not received, and are deleted bit by bit, also when they are many.
func TestExpiredAreDeleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queues.db")
	c := newClock()
	b := open(t, path, sqlite.Options{Now: c.Now})
	q := createQueues(t, b, nil, "q")
	mustSend(t, q["q"], numbered(5*100)...)
	c.Advance(5 * 24 * time.Hour)
	receive(t, q["q"], 0)
	for range 5 {
		mustSend(t, q["q"], queue.Message{Body: []byte("new")})
	}
	receive(t, q["q"], 5)
	if d := depth(t, b, "q"); d.Total() != 5 {
		t.Errorf("depth %+v", d)
	}
	if n := checkIntegrity(t, path); n != 5 {
		t.Errorf("%d messages in the file, want 5", n)
	}
}

func numbered(n int) []queue.Message {
	msgs := make([]queue.Message, n)
	for i := range msgs {
		msgs[i].Body = fmt.Append(nil, i)
	}
	return msgs
}

func TestAttributeNames(t *testing.T) {
	_, _, q := withClock(t, nil, "q")
	for name, ok := range map[string]bool{
		"ce-type": true, "a.b_c-D9": true, strings.Repeat("n", 256): true, "awsome": true,
		"": false, "AWS.Trace": false, "amazon.x": false, ".a": false, "a.": false, "a..b": false,
		"with space": false, "é": false, strings.Repeat("n", 257): false,
	} {
		err := q["q"].Send(t.Context(), []queue.Message{{Body: []byte("x"), Attributes: map[string]string{name: "v"}}})[0]
		if ok != (err == nil) || !ok && !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestRefusedOptions(t *testing.T) {
	b, _, q := withClock(t, nil, "q")
	for _, o := range []queue.ReceiveOptions{
		{}, {Max: 11}, {Max: -1}, {Max: 1, Wait: -1}, {Max: 1, Wait: 21 * time.Second},
		{Max: 1, Visibility: -1}, {Max: 1, Visibility: 13 * time.Hour},
	} {
		if _, err := q["q"].Receive(t.Context(), o); err == nil {
			t.Errorf("receive with %+v was accepted", o)
		}
	}
	mustSend(t, q["q"], queue.Message{Body: []byte("x")})
	m := receive(t, q["q"], 1)[0]
	for _, d := range []time.Duration{-1, 13 * time.Hour} {
		if err := q["q"].ChangeVisibility(t.Context(), m.Receipt, d); err == nil {
			t.Errorf("a visibility timeout of %v was accepted", d)
		}
	}
	for _, c := range []queue.Config{
		{Visibility: -1}, {Visibility: 13 * time.Hour}, {Delay: 16 * time.Minute}, {Retention: time.Second},
		{Retention: 15 * 24 * time.Hour}, {DLQ: "q"}, {MaxReceives: 3}, {DLQ: "new", MaxReceives: 1}, {DLQ: "q", MaxReceives: 1001},
	} {
		if err := b.Create(t.Context(), "new", c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
	if _, err := b.Queue(t.Context(), "new"); !errors.Is(err, queue.ErrNoQueue) {
		t.Errorf("a refused queue: %v", err)
	}
}

// One Receive must not take a message twice, however short its visibility timeout is.
func TestShortestVisibility(t *testing.T) {
	_, c, q := withClock(t, nil, "q")
	mustSend(t, q["q"], queue.Message{Body: []byte("x")})
	for n := 1; n < 3; n++ {
		msgs, err := q["q"].Receive(t.Context(), queue.ReceiveOptions{Max: 10, Visibility: 1})
		if err != nil || len(msgs) != 1 || msgs[0].ReceiveCount != n {
			t.Fatalf("%+v, %v", msgs, err)
		}
		c.Advance(time.Microsecond)
	}
}

// A receive that is cancelled before it took anything takes nothing.
func TestCancelledReceiveTakesNothing(t *testing.T) {
	b, _, q := withClock(t, nil, "q")
	mustSend(t, q["q"], queue.Message{Body: []byte("x")})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if msgs, err := q["q"].Receive(ctx, queue.ReceiveOptions{Max: 1}); len(msgs) > 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", msgs, err)
	}
	for i, err := range q["q"].Send(ctx, numbered(3)) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("send of message %d: %v", i, err)
		}
	}
	if d := depth(t, b, "q"); d.Visible != 1 || d.InFlight != 0 {
		t.Errorf("depth %+v", d)
	}
}

// What one process does with move tasks, another one sees and can end.
func TestMoveSeenByOtherProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queues.db")
	runs, watches := open(t, path, sqlite.Options{}), open(t, path, sqlite.Options{})
	for _, name := range []string{"dead", "work"} {
		if err := runs.Create(t.Context(), name, queue.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	dead, err := runs.Queue(t.Context(), "dead")
	if err != nil {
		t.Fatal(err)
	}
	msgs := numbered(50)
	mustSend(t, dead, msgs...)
	task, err := runs.StartMove(t.Context(), "dead", queue.MoveOptions{Dest: "work", Rate: 1})
	if err != nil {
		t.Fatal(err)
	}
	moves, err := watches.Moves(t.Context(), "dead")
	if err != nil || len(moves) != 1 || moves[0].Status != queue.MoveRunning || moves[0].ToMove != len(msgs) {
		t.Fatalf("seen by another process: %+v, %v", moves, err)
	}
	if _, err := watches.StartMove(t.Context(), "dead", queue.MoveOptions{Dest: "work"}); !errors.Is(err, queue.ErrMoveActive) {
		t.Errorf("second task: %v", err)
	}
	if err := watches.CancelMove(t.Context(), task.ID); err != nil {
		t.Fatal(err)
	}
	// A new task may start at once; the old one's process has no part in it.
	if _, err := watches.StartMove(t.Context(), "dead", queue.MoveOptions{Dest: "work"}); err != nil {
		t.Fatal(err)
	}
	rest := endOfMove(t, watches, "dead")
	moves, err = runs.Moves(t.Context(), "dead")
	if err != nil || len(moves) != 2 || moves[1].Status != queue.MoveCancelled || moves[1].Moved+rest.Moved != len(msgs) {
		t.Errorf("in the end: %+v, %v", moves, err)
	}
}

func TestCloseEndsMoves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queues.db")
	b, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Create(t.Context(), "dead", queue.Config{}), b.Create(t.Context(), "work", queue.Config{})); err != nil {
		t.Fatal(err)
	}
	dead, err := b.Queue(t.Context(), "dead")
	if err != nil {
		t.Fatal(err)
	}
	mustSend(t, dead, queue.Message{Body: []byte("1")}, queue.Message{Body: []byte("2")}, queue.Message{Body: []byte("3")})
	if _, err := b.StartMove(t.Context(), "dead", queue.MoveOptions{Dest: "work", Rate: 1}); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	m := endOfMove(t, open(t, path, sqlite.Options{}), "dead")
	if m.Status != queue.MoveFailed || !strings.Contains(m.Failure, "stopped") || m.Moved == 3 {
		t.Errorf("task after the end of its process: %+v", m)
	}
}

// The last ten tasks are remembered.
func TestMovesAreForgotten(t *testing.T) {
	b, c, _ := withClock(t, nil, "dead", "work")
	var last queue.Move
	for range 13 {
		var err error
		if last, err = b.StartMove(t.Context(), "dead", queue.MoveOptions{Dest: "work"}); err != nil {
			t.Fatal(err)
		}
		endOfMove(t, b, "dead")
		c.Advance(time.Second)
	}
	moves, err := b.Moves(t.Context(), "dead")
	if err != nil || len(moves) != 10 || moves[0].ID != last.ID {
		t.Errorf("%d tasks, first %+v, last started %s: %v", len(moves), moves[0], last.ID, err)
	}
}

// A message that a task moved into a dead-letter queue was not redriven there by a queue:
// it has no source to go back to, as if it had been sent there.
func TestMoveForgetsTheSource(t *testing.T) {
	b, _, q := withClock(t, map[string]queue.Config{
		"work": {DLQ: "dead", MaxReceives: 1}, "other": {DLQ: "second", MaxReceives: 1},
	}, "dead", "second", "work", "other")
	mustSend(t, q["work"], numbered(1)...)
	if err := q["work"].ChangeVisibility(t.Context(), receive(t, q["work"], 1)[0].Receipt, 0); err != nil {
		t.Fatal(err)
	}
	receive(t, q["work"], 0)
	for _, c := range []struct {
		source, dest string
		want         queue.MoveStatus
	}{{"dead", "second", queue.MoveCompleted}, {"second", "", queue.MoveFailed}} {
		if _, err := b.StartMove(t.Context(), c.source, queue.MoveOptions{Dest: c.dest}); err != nil {
			t.Fatal(err)
		}
		if m := endOfMove(t, b, c.source); m.Status != c.want {
			t.Errorf("task ended as %+v, want %s", m, c.want)
		}
	}
	if d := depth(t, b, "second"); d.Visible != 1 {
		t.Errorf("second: %+v", d)
	}
}

// A task moves no more than it found when it started: what comes back while it runs does
// not go round for ever.
func TestMoveIsBounded(t *testing.T) {
	b, _, q := withClock(t, nil, "dead", "work")
	mustSend(t, q["dead"], numbered(60)...)
	task, err := b.StartMove(t.Context(), "dead", queue.MoveOptions{Dest: "work", Rate: 500})
	if err != nil || task.ToMove != 60 {
		t.Fatalf("%+v, %v", task, err)
	}
	mustSend(t, q["dead"], numbered(30)...) // it has moved 50 by now, and pauses
	if m := endOfMove(t, b, "dead"); m.Moved != 60 {
		t.Errorf("task ended as %+v", m)
	}
	if d := depth(t, b, "dead"); d.Visible != 30 {
		t.Errorf("left: %+v", d)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "queues.db")
	if _, err := sqlite.Open(t.Context(), path, sqlite.Options{MustExist: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("no queue file ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("no database: %v", err)
	}
}
