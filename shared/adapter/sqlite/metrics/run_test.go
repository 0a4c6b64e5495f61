package metrics

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/internal/db"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// While another process keeps the file locked, Record goes on; nothing is lost, and
// what waits in memory is no more than a minute's points each minute.
func TestFailedFlushLosesNothing(t *testing.T) {
	f := newFixture(t)
	other, err := open(t.Context(), f.path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	locked, release, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- other.Write(context.Background(), func(*sqlite.Conn) error {
			close(locked)
			<-release
			return nil
		})
	}()
	<-locked
	for i := range 150 {
		f.set(epoch.Add(time.Duration(i) * time.Second))
		f.Record(&pipeline.Report{Stage: spec.Persist, Events: 2, Latency: []time.Duration{time.Millisecond}})
		if i%50 != 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := f.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush of a locked file: %v", err)
		}
		cancel()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Flush(ctx); err == nil {
		t.Error("flush of a locked file succeeded")
	}
	if len(f.pending) != 3 {
		t.Errorf("%d slots wait in memory, want one for each minute", len(f.pending))
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	f.flush(t)
	r := f.reader(t)
	if p := total(t, r, spec.BatchSize, ""); p.Sum != 300 || p.Count != 150 {
		t.Errorf("total %+v", p)
	}
	if p := total(t, r, spec.EventLatency, ""); p.Count != 150 || p.stat.hist.Count() != 150 {
		t.Errorf("latencies %+v", p)
	}
	if ps := query(t, r, spec.BatchSize, "", epoch, epoch.Add(time.Hour), time.Minute); len(ps) != 3 {
		t.Errorf("%d minutes", len(ps))
	}
}

func TestSeveralRecordersAndReaders(t *testing.T) {
	const goroutines, reports = 4, 50
	a := newFixture(t)
	b := reopened(t, a.path)
	r := a.reader(t)
	var wg sync.WaitGroup
	for i := range goroutines {
		for _, f := range []*fixture{a, b} {
			wg.Go(func() {
				for k := range reports {
					f.Record(&pipeline.Report{Stage: spec.Persist, Events: 1, Latency: []time.Duration{time.Millisecond}})
					if k%10 == i {
						if err := f.Flush(context.Background()); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Go(func() {
			for range reports {
				p, err := r.Total(context.Background(), spec.BatchSize, "")
				if err != nil || p.Sum != float64(p.Count) {
					t.Errorf("read %+v: %v", p, err)
				}
			}
		})
	}
	wg.Wait()
	a.flush(t)
	b.flush(t)
	const want = 2 * goroutines * reports
	if p := total(t, r, spec.BatchSize, ""); p.Count != want {
		t.Errorf("%d reports, want %d", p.Count, want)
	}
	p := total(t, r, spec.EventLatency, "")
	if n := p.stat.hist.Count(); n != want {
		t.Errorf("%d latencies, want %d", n, want)
	}
}

func TestRunWritesEachSecondAndAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.db")
	synctest.Test(t, func(t *testing.T) {
		rec, err := Open(t.Context(), path, Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- rec.Run(ctx) }()
		r, err := OpenReader(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		for want := range int64(3) {
			if p := total(t, r, spec.BatchSize, ""); p.Count != want {
				t.Errorf("after %d s %d reports are in the file", want, p.Count)
			}
			rec.Record(&pipeline.Report{Stage: spec.Ingest, Events: 1})
			time.Sleep(time.Second)
			synctest.Wait()
		}
		rec.Record(&pipeline.Report{Stage: spec.Ingest, Events: 1})
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if p := total(t, r, spec.BatchSize, ""); p.Count != 4 {
			t.Errorf("at the end %d reports are in the file", p.Count)
		}
		if err := errors.Join(r.Close(), rec.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestRunTellsOnceOfEachOutage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.db")
	synctest.Test(t, func(t *testing.T) {
		var told []error
		rec, err := Open(t.Context(), path, Options{Now: time.Now, OnError: func(err error) { told = append(told, err) }})
		if err != nil {
			t.Fatal(err)
		}
		if err := rec.db.Close(); err != nil { // from here on every write fails
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- rec.Run(ctx) }()
		for range 5 {
			rec.Record(&pipeline.Report{Stage: spec.Ingest, Events: 1})
			time.Sleep(time.Second)
		}
		cancel()
		if err := <-done; !errors.Is(err, db.ErrClosed) {
			t.Errorf("the last write: %v", err)
		}
		if len(told) != 1 || !errors.Is(told[0], db.ErrClosed) {
			t.Errorf("told %v", told)
		}
	})
}
