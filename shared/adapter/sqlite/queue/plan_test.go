package queue

import (
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Each statement of the hot paths must find its rows through an index, in order.
func TestQueriesUseAnIndex(t *testing.T) {
	b, err := Open(t.Context(), filepath.Join(t.TempDir(), "queues.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	if err := b.Create(t.Context(), "q", queue.Config{}); err != nil {
		t.Fatal(err)
	}
	const visible, sent, key = "INDEX message_visible (queue=?", "INDEX message_sent (queue=?", "INTEGER PRIMARY KEY (rowid=?)"
	for query, index := range map[string]string{
		firstVisible:  visible,
		selectVisible: visible,
		selectMovable: visible,
		countVisible:  visible,
		countHidden:   visible,
		countHomeless: visible,
		oldestSent:    sent,
		selectAfter:   sent,
		"SELECT seq FROM message WHERE queue = ? AND sent <= ? LIMIT ?": sent,
		"DELETE FROM message WHERE seq = ?":                             key,
		"DELETE FROM content WHERE seq = ?":                             key,
		"UPDATE message SET visible = ? WHERE seq = ? AND queue = ?":    key,
	} {
		plan := explain(t, b, query)
		if !strings.Contains(plan, index) || strings.Contains(plan, "SCAN message") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n%s", query, plan)
		}
	}
}

func explain(t *testing.T, b *Broker, query string) string {
	t.Helper()
	var plan strings.Builder
	if err := b.db.Read(t.Context(), func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare("EXPLAIN QUERY PLAN " + query)
		if err != nil {
			return err
		}
		return forEach(stmt, func() { plan.WriteString("\t" + stmt.ColumnText(3) + "\n") })
	}); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return plan.String()
}
