package queue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	driver "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	sqlite "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/queue"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// The tests of this file run this test binary again as another process, to be killed.
const childEnv = "MILLRACE_QUEUE_TEST_CHILD"

func TestMain(m *testing.M) {
	if job := os.Getenv(childEnv); job != "" {
		if err := runChild(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runChild runs until it is killed. It writes a line to stdout for what is durable.
func runChild(job string) error {
	kind, path, _ := strings.Cut(job, ":")
	ctx := context.Background()
	b, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	if kind == "move" {
		_, err := b.StartMove(ctx, "dead", queue.MoveOptions{Dest: "work", Rate: 500})
		if err != nil {
			return err
		}
		for last := -1; err == nil; {
			var moves []queue.Move
			if moves, err = b.Moves(ctx, "dead"); err == nil && moves[0].Moved > last {
				last = moves[0].Moved
				fmt.Println("moved", last)
			}
		}
		return err
	}
	q, err := b.Queue(ctx, "work")
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range 2 {
		go func() { failed <- childSends(ctx, q) }()
		go func() { failed <- childDeletes(ctx, q) }()
	}
	return <-failed
}

func childSends(ctx context.Context, q queue.Queue) error {
	filler := strings.Repeat("x", 60<<10)
	for {
		msgs := make([]queue.Message, 1+rand.IntN(queue.MaxBatch))
		ids := make([]string, len(msgs))
		for i := range msgs {
			ids[i] = fmt.Sprintf("%d-%x", os.Getpid(), rand.Uint64())
			msgs[i].Body = []byte(ids[i] + " " + filler[:rand.IntN(len(filler))])
		}
		if err := errors.Join(q.Send(ctx, msgs)...); err != nil {
			return err
		}
		fmt.Println("sent", strings.Join(ids, " "))
	}
}

func childDeletes(ctx context.Context, q queue.Queue) error {
	for {
		msgs, err := q.Receive(ctx, queue.ReceiveOptions{Max: queue.MaxBatch, Wait: time.Second, Visibility: time.Hour})
		if err != nil {
			return err
		}
		var ids, receipts []string
		for i, m := range msgs {
			if i%2 == 0 { // the rest stays in flight
				ids, receipts = append(ids, bodyID(m)), append(receipts, m.Receipt)
			}
		}
		fmt.Println("deleting", strings.Join(ids, " "))
		if err := errors.Join(q.Delete(ctx, receipts)...); err != nil {
			return err
		}
		fmt.Println("deleted", strings.Join(ids, " "))
	}
}

func bodyID(m queue.Received) string {
	id, _, _ := strings.Cut(string(m.Body), " ")
	return id
}

// killed runs a child until it has written some lines, kills it, and returns them.
func killed(t *testing.T, job string, lines int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+job)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var got []string
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil { // a line without an end is not counted
			if !errors.Is(err, io.EOF) {
				t.Errorf("child: %v", err)
			}
			break
		}
		if got = append(got, strings.TrimSpace(line)); len(got) == lines {
			_ = cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return got
}

func TestKilledProcessLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queues.db")
	setUp := open(t, path, sqlite.Options{})
	if err := setUp.Create(t.Context(), "work", queue.Config{}); err != nil {
		t.Fatal(err)
	}
	sent, deleting, deleted := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	for range 12 {
		for _, line := range killed(t, "work:"+path, 1+rand.IntN(60)) {
			verb, ids, _ := strings.Cut(line, " ")
			set := map[string]map[string]bool{"sent": sent, "deleting": deleting, "deleted": deleted}[verb]
			for id := range strings.FieldsSeq(ids) {
				set[id] = true
			}
		}
	}
	checkIntegrity(t, path)
	left := drain(t, path, "work")
	for id, n := range left {
		if n != 1 {
			t.Errorf("%s is there %d times", id, n)
		}
		if deleted[id] {
			t.Errorf("%s is there, although its deletion was acknowledged", id)
		}
	}
	for id := range sent {
		if left[id] == 0 && !deleting[id] {
			t.Errorf("%s is lost", id)
		}
	}
	t.Logf("%d acknowledged, %d deleted, %d left", len(sent), len(deleted), len(left))
	if len(sent) < 12 || len(deleted) == 0 || len(left) == 0 {
		t.Error("the children did too little for the test to mean anything")
	}
}

// drain receives everything in a queue, also what is in flight, and counts by body id.
func drain(t *testing.T, path, name string) map[string]int {
	t.Helper()
	b := open(t, path, sqlite.Options{Now: func() time.Time { return time.Now().Add(2 * time.Hour) }})
	q, err := b.Queue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	left := make(map[string]int)
	for {
		msgs, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: queue.MaxBatch, Visibility: queue.MaxVisibility})
		if err != nil {
			t.Fatal(err)
		}
		if len(msgs) == 0 {
			return left
		}
		for _, m := range msgs {
			left[bodyID(m)]++
		}
	}
}

// checkIntegrity checks the file itself, and that messages and contents belong together.
// It returns how many there are.
func checkIntegrity(t *testing.T, path string) (messages int) {
	t.Helper()
	conn, err := driver.OpenConn(path, driver.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ok, err := sqlitex.ResultText(conn.Prep("PRAGMA integrity_check"))
	if err != nil || ok != "ok" {
		t.Errorf("integrity: %s, %v", ok, err)
	}
	stray, err := sqlitex.ResultInt(conn.Prep("SELECT count(*) FROM message FULL JOIN content USING (seq) WHERE queue IS NULL OR body IS NULL"))
	if err != nil || stray != 0 {
		t.Errorf("%d messages without content or contents without message: %v", stray, err)
	}
	if messages, err = sqlitex.ResultInt(conn.Prep("SELECT count(*) FROM message")); err != nil {
		t.Error(err)
	}
	return messages
}

func TestKilledMove(t *testing.T) {
	const n = 400
	path := filepath.Join(t.TempDir(), "queues.db")
	b := open(t, path, sqlite.Options{})
	for _, name := range []string{"dead", "work"} {
		if err := b.Create(t.Context(), name, queue.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	dead, err := b.Queue(t.Context(), "dead")
	if err != nil {
		t.Fatal(err)
	}
	mustSend(t, dead, numbered(n)...)

	killed(t, "move:"+path, 1+rand.IntN(5)) // of at least eight lines
	moves, err := b.Moves(t.Context(), "dead")
	if err != nil || len(moves) != 1 || moves[0].Status != queue.MoveRunning {
		t.Fatalf("right after the kill: %+v, %v", moves, err)
	}
	if _, err := b.StartMove(t.Context(), "dead", queue.MoveOptions{Dest: "work"}); !errors.Is(err, queue.ErrMoveActive) {
		t.Errorf("second task right after the kill: %v", err)
	}
	depths, err := b.Depths(t.Context())
	if err != nil || depths["work"].Total() != moves[0].Moved || depths["work"].Total()+depths["dead"].Total() != n {
		t.Errorf("depths %+v, task %+v: %v", depths, moves[0], err)
	}

	// Some time later the task counts as ended, and another one moves the rest.
	later := open(t, path, sqlite.Options{Now: func() time.Time { return time.Now().Add(time.Minute) }})
	moves, err = later.Moves(t.Context(), "dead")
	if err != nil || moves[0].Status != queue.MoveFailed || !strings.Contains(moves[0].Failure, "process") {
		t.Errorf("a minute after the kill: %+v, %v", moves, err)
	}
	if _, err := later.StartMove(t.Context(), "dead", queue.MoveOptions{Dest: "work"}); err != nil {
		t.Fatal(err)
	}
	rest := endOfMove(t, later, "dead")
	if rest.Status != queue.MoveCompleted || rest.Moved+moves[0].Moved != n {
		t.Errorf("the rest: %+v, before %+v", rest, moves[0])
	}
	checkIntegrity(t, path)
	left := drain(t, path, "work")
	if len(left) != n {
		t.Errorf("%d of %d messages arrived", len(left), n)
	}
}

// endOfMove waits for the end of the newest task.
func endOfMove(t *testing.T, b *sqlite.Broker, source string) queue.Move {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		moves, err := b.Moves(t.Context(), source)
		if err != nil || len(moves) == 0 {
			t.Fatalf("moves: %+v, %v", moves, err)
		}
		if moves[0].Status != queue.MoveRunning || time.Now().After(deadline) {
			return moves[0]
		}
		time.Sleep(time.Millisecond)
	}
}
