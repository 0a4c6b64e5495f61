package queue

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

func TestBrowseDisturbsNothing(t *testing.T) {
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
	const n = 2*browsePage + 7
	for i := range n {
		q.Send(t.Context(), []queue.Message{{Body: fmt.Append(nil, i), Attributes: map[string]string{"i": fmt.Sprint(i)}}})
	}
	if _, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		i := 0
		for m, err := range b.Browse(t.Context(), "a") {
			if err != nil {
				t.Fatal(err)
			}
			if string(m.Body) != fmt.Sprint(i) || m.Attributes["i"] != fmt.Sprint(i) {
				t.Fatalf("message %d is %q %v", i, m.Body, m.Attributes)
			}
			i++
		}
		if i != n {
			t.Fatalf("%d messages, want %d", i, n)
		}
	}
	got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 1})
	if err != nil || len(got) != 1 || got[0].ReceiveCount != 1 {
		t.Errorf("after browsing: %+v, %v", got, err)
	}
	for _, err := range b.Browse(t.Context(), "none") {
		if !errors.Is(err, queue.ErrNoQueue) {
			t.Errorf("no queue: %v", err)
		}
	}
	for range b.Browse(t.Context(), "a") {
		break
	}
}
