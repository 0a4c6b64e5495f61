package queue

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

func TestReleaseInFlight(t *testing.T) {
	b, err := Open(t.Context(), filepath.Join(t.TempDir(), "queues.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Create(t.Context(), "a", queue.Config{}); err != nil {
		t.Fatal(err)
	}
	q, err := b.Queue(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	q.Send(t.Context(), []queue.Message{{Body: []byte("received")}, {Body: []byte("delayed"), Delay: time.Minute}})
	if got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Visibility: time.Hour}); err != nil || len(got) != 1 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	if n, err := b.ReleaseInFlight(t.Context(), "a"); err != nil || n != 1 {
		t.Fatalf("released %d, %v; want the one that was received", n, err)
	}
	got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10})
	if err != nil || len(got) != 1 || string(got[0].Body) != "received" || got[0].ReceiveCount != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
}
