//go:build integration

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// commands: the command line works on the deployed pipeline as it does on an embedded one.
// Its events go in through SQS.
func (d *deployment) commands(t *testing.T) {
	sent := `{"specversion":"1.0","id":"1","source":"/commands","type":"com.example.order.placed","data":{"n":1}}
{"specversion":"1.0","id":"2","source":"/commands","type":"com.example.order.placed","data":{"n":2}}
no event
`
	d.millrace.Feed(t, sent, "send", "--unchecked", "-")
	d.awaitStored(t, "/commands", 2, time.Minute)
	d.awaitDead(t, 1)

	var count struct{ Count int }
	if d.millrace.JSON(t, &count, "events", "count", "--source", "/commands"); count.Count != 2 {
		t.Errorf("events count: %+v", count)
	}
	var list struct {
		Letters []struct {
			ID, Queue string
			Reason    fault.Reason
		} `json:"dead_letters"`
	}
	d.millrace.JSON(t, &list, "dlq", "list")
	if len(list.Letters) != 1 || list.Letters[0].Queue != "ingest-dlq" || list.Letters[0].Reason != fault.NotJSON {
		t.Fatalf("dlq list: %+v", list)
	}
	if out := d.millrace.Run(t, "dlq", "show", list.Letters[0].ID); !strings.Contains(out, "no event") {
		t.Errorf("dlq show: %s", out)
	}
	var status struct {
		Persisted, Dead int64
		Lag             *int64 `json:"consumer_lag"`
	}
	d.millrace.JSON(t, &status, "status", "--kafka", d.Kafka.Addr, "--topic", d.Topic)
	if status.Persisted < 2 || status.Dead != 1 || status.Lag == nil || *status.Lag != 0 {
		t.Errorf("status: %+v", status)
	}
	// What is bad stays bad: it comes back, fails again, and in the end is quarantined.
	d.millrace.Run(t, "dlq", "redrive", "--execute")
	d.awaitDead(t, 1)
	if err := d.Broker().Purge(t.Context(), "ingest-dlq"); err != nil {
		t.Error(err)
	}
	d.awaitDead(t, 0)
}
