package bench

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/millrace-pipeline/millrace/shared/proc"
)

// window is over how many events before a milestone its rate is taken.
const window = 1_000_000

// Milestone is how fast the pipeline was when so many events had ended: over the last
// million of them, or all if there were fewer.
type Milestone struct {
	Events     int // that had ended
	Window     int // the last of them, which the figures are of
	Elapsed    time.Duration
	CPU        time.Duration // of this process
	ServersCPU time.Duration
	PeakMemory int   // bytes, resident, up to here
	Disk       int64 // bytes in the data directory
}

// PerSecond is how many of the window's events were done a second.
func (m *Milestone) PerSecond() float64 { return float64(m.Window) / max(m.Elapsed, 1).Seconds() }

// PerEvent is a time divided by the window's events.
func (m *Milestone) PerEvent(d time.Duration) time.Duration {
	return d / time.Duration(max(m.Window, 1)) // two milestones can be reached at once
}

// mark is a moment of a run.
type mark struct {
	done int
	at   time.Time
	cpu  cpuTimes
}

// watcher notes milestones while events end.
type watcher struct {
	tally   *Tally
	servers []int
	dir     string // the data directory
	found   []Milestone
}

// run returns when the last milestone is reached, or ctx is done. Milestones that lie
// closer together than a window have the distance between them as theirs.
func (w *watcher) run(ctx context.Context, milestones []int) error {
	from, err := w.reach(ctx, 0)
	if err != nil {
		return err
	}
	for _, m := range slices.Sorted(slices.Values(milestones)) {
		if m-window > from.done {
			if from, err = w.reach(ctx, m-window); err != nil {
				return err
			}
		}
		to, err := w.reach(ctx, m)
		if err != nil {
			return err
		}
		reached := Milestone{
			Events: to.done, Window: to.done - from.done, Elapsed: to.at.Sub(from.at),
			CPU: to.cpu.own - from.cpu.own, ServersCPU: to.cpu.servers - from.cpu.servers,
		}
		if reached.PeakMemory, err = proc.PeakMemory(os.Getpid()); err != nil {
			return err
		}
		if reached.Disk, err = sizeOf(w.dir); err != nil {
			return err
		}
		w.found = append(w.found, reached)
		from = to
	}
	return nil
}

// reach waits until so many events have ended.
func (w *watcher) reach(ctx context.Context, done int) (m mark, err error) {
	if err := w.tally.await(ctx, done); err != nil {
		return m, err
	}
	m.done, m.at = w.tally.Done(), time.Now()
	m.cpu, err = cpuOfAll(w.servers)
	return m, err
}

func sizeOf(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		if os.IsNotExist(err) { // files come and go while the pipeline runs
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("size of the data directory: %w", err)
	}
	return n, nil
}
