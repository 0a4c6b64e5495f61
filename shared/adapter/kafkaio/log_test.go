package kafkaio

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A broker that is down says so once in a while, not with every attempt; another trouble
// is not held back by it.
func TestClientLogRepeats(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	l := newClientLog(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now })
	const down = "unable to open connection to broker"
	for range 100 {
		l.Log(kgo.LogLevelWarn, down, "addr", "b1")
	}
	l.Log(kgo.LogLevelError, "another")
	now = now.Add(repeatAfter)
	l.Log(kgo.LogLevelWarn, down, "addr", "b2")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{`level=WARN msg="kafka: ` + down + `" addr=b1`, `level=ERROR msg="kafka: another"`, `level=WARN msg="kafka: ` + down + `" addr=b2 withheld=99`}
	if len(lines) != len(want) {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for i := range want {
		if !strings.HasSuffix(lines[i], want[i]) {
			t.Errorf("got %s\nwant …%s", lines[i], want[i])
		}
	}
}
