package queue_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	sqlite "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/queue"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Under steady load the file uses the space of deleted messages again, and the WAL starts
// anew: 60 MiB go through, and neither grows beyond what is under way at once.
func TestFileDoesNotGrow(t *testing.T) {
	const rounds, perRound, size = 50, 20, 60 << 10
	path := filepath.Join(t.TempDir(), "queues.db")
	b := open(t, path, sqlite.Options{})
	if err := b.Create(t.Context(), "q", queue.Config{}); err != nil {
		t.Fatal(err)
	}
	q, err := b.Queue(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	msgs := make([]queue.Message, perRound)
	for i := range msgs {
		msgs[i].Body = bytes.Repeat([]byte("x"), size+i)
	}
	var file, wal int64
	for range rounds {
		mustSend(t, q, msgs...)
		receiveAndDelete(t, q, perRound)
		file, wal = max(file, fileSize(t, path)), max(wal, fileSize(t, path+"-wal"))
	}
	if limit := int64(4 * perRound * size); file > limit {
		t.Errorf("the file grew to %d bytes with %d under way, want at most %d", file, perRound*size, limit)
	}
	if limit := int64(36 << 20); wal > limit {
		t.Errorf("the WAL grew to %d bytes, want at most %d", wal, limit)
	}
}

func receiveAndDelete(t *testing.T, q queue.Queue, n int) {
	t.Helper()
	for n > 0 {
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: queue.MaxBatch})
		if err != nil || len(got) == 0 {
			t.Fatalf("%d messages, %v", len(got), err)
		}
		receipts := make([]string, len(got))
		for i, m := range got {
			receipts[i] = m.Receipt
		}
		for _, err := range q.Delete(t.Context(), receipts) {
			if err != nil {
				t.Fatal(err)
			}
		}
		n -= len(got)
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
