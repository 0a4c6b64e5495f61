package queue_test

import (
	"path/filepath"
	"testing"
	"time"

	sqlite "github.com/millrace-pipeline/millrace/shared/adapter/sqlite/queue"
	"github.com/millrace-pipeline/millrace/shared/conformance/queuetest"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

func open(t testing.TB, path string, o sqlite.Options) *sqlite.Broker {
	t.Helper()
	b, err := sqlite.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func newBroker(t *testing.T) queue.Broker {
	return open(t, filepath.Join(t.TempDir(), "queues.db"), sqlite.Options{})
}

func TestConformance(t *testing.T) {
	queuetest.Run(t, newBroker, queuetest.Options{Tick: 200 * time.Millisecond})
}
