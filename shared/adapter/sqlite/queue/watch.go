package queue

import (
	"context"
	"sync"
	"time"
)

// pollInterval is how often the file is looked at for what other processes sent, while a
// Receive waits. One look costs some microseconds, whatever the number of waiters.
const pollInterval = 50 * time.Millisecond

// watcher wakes waiting Receives.
type watcher struct {
	version func(context.Context) (int64, error) // changes when anyone changes the file

	mu      sync.Mutex
	waiters int                     // Receives between enter and leave
	stop    chan struct{}           // ends the polling; nil while nobody waits
	changes map[int64]chan struct{} // of each queue somebody waits for; closed at its next change
}

func newWatcher(version func(context.Context) (int64, error)) *watcher {
	return &watcher{version: version, changes: make(map[int64]chan struct{})}
}

// enter and leave stand around a wait: other processes' changes are looked for between them.
func (w *watcher) enter(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiters++; w.waiters == 1 {
		w.stop = make(chan struct{})
		// The first look is made before the caller's, so that it misses nothing. Without
		// it the first tick wakes everybody.
		last, _ := w.version(ctx)
		go w.poll(last, w.stop)
	}
}

func (w *watcher) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiters--; w.waiters == 0 {
		close(w.stop)
	}
}

func (w *watcher) poll(last int64, stop <-chan struct{}) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		// On an error too: the waiters' own reads then report it.
		if v, err := w.version(context.Background()); v != last || err != nil {
			last = v
			w.notifyAll()
		}
	}
}

// changed returns a channel that is closed when the queue has changed.
func (w *watcher) changed(queue int64) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.changes[queue]
	if c == nil {
		c = make(chan struct{})
		w.changes[queue] = c
	}
	return c
}

// notify wakes those who wait for the queue.
func (w *watcher) notify(queue int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.changes[queue]; c != nil {
		close(c)
		delete(w.changes, queue)
	}
}

func (w *watcher) notifyAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.changes {
		close(c)
	}
	clear(w.changes)
}
