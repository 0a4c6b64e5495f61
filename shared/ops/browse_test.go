package ops

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	sqlitequeue "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/queue"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Browsing by receiving sees every message once and leaves all of them visible, also
// when the caller stops in the middle.
func TestReceivingBrowses(t *testing.T) {
	ctx := t.Context()
	b, err := sqlitequeue.Open(ctx, filepath.Join(t.TempDir(), "queues.db"), sqlitequeue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Create(ctx, "dlq", queue.Config{}); err != nil {
		t.Fatal(err)
	}
	q, err := b.Queue(ctx, "dlq")
	if err != nil {
		t.Fatal(err)
	}
	const n = 2*queue.MaxBatch + 5
	var msgs []queue.Message
	for i := range n {
		msgs = append(msgs, queue.Message{Body: fmt.Append(nil, i)})
	}
	if err := errors.Join(q.Send(ctx, msgs)...); err != nil {
		t.Fatal(err)
	}
	r := Receiving{Queues: b, Hold: time.Hour}
	for _, stopAfter := range []int{n, 3, n} {
		seen := make(map[string]bool)
		for m, err := range r.Browse(ctx, "dlq") {
			if err != nil {
				t.Fatal(err)
			}
			seen[string(m.Body)] = true
			if len(seen) == stopAfter {
				break
			}
		}
		if len(seen) != stopAfter {
			t.Errorf("%d messages seen, want %d", len(seen), stopAfter)
		}
		depths, err := b.Depths(ctx, "dlq")
		if err != nil || depths["dlq"].Visible != n {
			t.Errorf("%+v %v: all %d should be visible", depths, err, n)
		}
	}
	for _, err := range r.Browse(ctx, "nowhere") {
		if !errors.Is(err, queue.ErrNoQueue) {
			t.Errorf("the error is %v", err)
		}
	}
}
