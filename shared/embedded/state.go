package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Names in the data directory.
const (
	queuesFile  = "queues.db"
	eventsFile  = "events.db"
	metricsFile = "metrics.db"
	kafkaDir    = "kafka"
	claimsDir   = "claims"
	lockFile    = "lock"
	runFile     = "run.json"
)

// Running is what a process that runs in a data directory tells other processes.
type Running struct {
	PID     int       `json:"pid"`
	HTTP    string    `json:"http"`  // host:port of the front door
	Kafka   []string  `json:"kafka"` // bootstrap servers
	Topic   string    `json:"topic"`
	Group   string    `json:"group"`
	Started time.Time `json:"started"`
}

// ErrRunning: another process runs in the data directory.
var ErrRunning = errors.New("another process runs in this data directory")

// ErrNotRunning: no process runs in the data directory.
var ErrNotRunning = errors.New("nothing is running in this data directory")

// How often and how long lockDir waits for commands that look whether a process runs.
const (
	lockTries = 10
	lockPause = 20 * time.Millisecond
)

// lockDir takes the data directory for this process. The lock goes with the process,
// however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	for tries := 0; errors.Is(err, syscall.EWOULDBLOCK) && tries < lockTries; tries++ {
		time.Sleep(lockPause) // a command that asks Find holds it for a moment
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		_ = f.Close()
		if r, err := readRunning(dir); err == nil {
			return nil, fmt.Errorf("%s: %w: process %d", dir, ErrRunning, r.PID)
		}
		return nil, fmt.Errorf("%s: %w", dir, ErrRunning)
	case err != nil:
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}

// Find returns the process that runs in the data directory, ErrNotRunning if none does.
func Find(dir string) (Running, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Running{}, fmt.Errorf("%s: %w", dir, ErrNotRunning)
	}
	if err != nil {
		return Running{}, err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err == nil {
		return Running{}, fmt.Errorf("%s: %w", dir, ErrNotRunning) // its file may be left from a crash
	}
	return readRunning(dir)
}

func readRunning(dir string) (r Running, err error) {
	b, err := os.ReadFile(filepath.Join(dir, runFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%s: the process there is still starting: %w", dir, ErrNotRunning)
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	return r, err
}

// announce writes the file that Find reads, whole or not at all.
func announce(dir string, r Running) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, runFile+".new")
	if err := os.WriteFile(tmp, b, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, runFile))
}
