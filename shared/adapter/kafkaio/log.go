package kafkaio

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// repeatAfter is how long a warning of the client that was logged is not logged again:
// while a broker is down the client has the same one several times a second.
const repeatAfter = 30 * time.Second

// clientLog passes on what franz-go finds worth a warning. It says much more at info,
// line by line with every rebalance.
type clientLog struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	lines map[string]*clientLine // by message; franz-go has some dozens of them
}

// clientLine is when a message was logged last, and how often it came since.
type clientLine struct {
	at       time.Time
	withheld int
}

func newClientLog(log *slog.Logger, now func() time.Time) *clientLog {
	return &clientLog{log: log, now: now, lines: make(map[string]*clientLine)}
}

// Level implements kgo.Logger.
func (l *clientLog) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log implements kgo.Logger.
func (l *clientLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	withheld, ok := l.due(msg)
	if !ok {
		return
	}
	if withheld > 0 {
		keyvals = append(keyvals[:len(keyvals):len(keyvals)], slog.Int("withheld", withheld))
	}
	to := slog.LevelWarn
	if level == kgo.LogLevelError {
		to = slog.LevelError
	}
	l.log.Log(context.Background(), to, "kafka: "+msg, keyvals...)
}

// due reports whether msg is to be logged now, and how many were not since the last time.
func (l *clientLog) due(msg string) (withheld int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, line := l.now(), l.lines[msg]
	if line == nil {
		l.lines[msg] = &clientLine{at: now}
		return 0, true
	}
	if now.Sub(line.at) < repeatAfter {
		line.withheld++
		return 0, false
	}
	withheld = line.withheld
	*line = clientLine{at: now}
	return withheld, true
}
