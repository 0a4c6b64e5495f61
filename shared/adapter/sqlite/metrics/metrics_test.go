package metrics

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/internal/db"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

var epoch = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// clock is set by the test.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

type fixture struct {
	*Recorder
	*clock
	path string
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	return reopened(t, filepath.Join(t.TempDir(), "metrics.db"))
}

func reopened(t testing.TB, path string) *fixture {
	t.Helper()
	c := &clock{t: epoch}
	r, err := Open(context.Background(), path, Options{Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return &fixture{r, c, path}
}

func (f *fixture) flush(t testing.TB) {
	t.Helper()
	if err := f.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) reader(t testing.TB) *Reader {
	t.Helper()
	r, err := OpenReader(context.Background(), f.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func total(t testing.TB, r *Reader, metric, stage string) Point {
	t.Helper()
	p, err := r.Total(context.Background(), metric, stage)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func query(t testing.TB, r *Reader, metric, stage string, from, to time.Time, period time.Duration) []Point {
	t.Helper()
	ps, err := r.Query(context.Background(), metric, stage, from, to, period)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func (f *fixture) rows(t testing.TB, period int) (n int) {
	t.Helper()
	if err := f.db.Read(context.Background(), func(conn *sqlite.Conn) (err error) {
		stmt := conn.Prep("SELECT count(*) FROM points WHERE period = ?")
		stmt.BindInt64(1, int64(period))
		n, err = sqlitex.ResultInt(stmt)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRecordIsReadByAnotherHandle(t *testing.T) {
	f := newFixture(t)
	r := f.reader(t)
	f.Record(&pipeline.Report{Stage: spec.Persist, Events: 10, Stored: 8, Dead: 2, Latency: []time.Duration{time.Millisecond, 3 * time.Millisecond},
		Reasons: map[fault.Reason]int{fault.StoreRejected: 2}})
	f.Record(&pipeline.Report{Stage: spec.Persist, Events: 30, Stored: 30})
	f.Record(&pipeline.Report{Stage: spec.Ingest, Events: 5, Dead: 1})
	if p := total(t, r, spec.EventsStored, ""); p.Count != 0 {
		t.Errorf("there before it was written: %+v", p)
	}
	f.flush(t)
	for _, c := range []struct {
		metric, stage        string
		count                int64
		sum, least, greatest float64
	}{
		{spec.EventsStored, spec.Persist, 2, 38, 8, 30},
		{spec.BatchSize, spec.Persist, 2, 40, 10, 30},
		{spec.BatchSize, "", 3, 45, 5, 30},
		{spec.DLQSent, "", 3, 3, 0, 2},
		{spec.EventLatency, spec.Persist, 2, 4, 1, 3},
		{spec.ErrorRate, spec.Persist, 2, 20, 0, 20},
		{spec.EventsDropped, spec.Process, 0, 0, 0, 0},
	} {
		p := total(t, r, c.metric, c.stage)
		if p.Count != c.count || p.Sum != c.sum || p.Min != c.least || p.Max != c.greatest {
			t.Errorf("%s of %q: %+v, want %+v", c.metric, c.stage, p, c)
		}
	}
	p := total(t, r, spec.EventLatency, "")
	if p99, ok := p.Percentile(99); !ok || p99 < 2.97 || p99 > 3 || p.Average() != 2 {
		t.Errorf("p99 %v (%v), average %v", p99, ok, p.Average())
	}
	if p := total(t, r, spec.BatchSize, ""); p.Average() != 15 {
		t.Errorf("average %v", p.Average())
	} else if _, ok := p.Percentile(99); ok {
		t.Error("a percentile of what is no distribution")
	}
}

// model is what a reader should see: every value with its second.
type model []struct {
	at    time.Time
	stage string
	n     int
	ds    []time.Duration
}

func draw(t *rapid.T) model {
	n := rapid.IntRange(1, 40).Draw(t, "reports")
	m := make(model, n)
	for i := range m {
		m[i].at = epoch.Add(time.Duration(rapid.IntRange(0, 200_000).Draw(t, "ms")) * time.Millisecond)
		m[i].stage = rapid.SampledFrom([]string{spec.Process, spec.Persist}).Draw(t, "stage")
		m[i].n = rapid.IntRange(0, 100).Draw(t, "n")
		for range rapid.IntRange(0, 50).Draw(t, "values") {
			m[i].ds = append(m[i].ds, time.Duration(math.Exp2(rapid.Float64Range(12, 42).Draw(t, "log2 of ns"))))
		}
	}
	return m
}

// want compares a point with the values of the model that belong to it.
func (m model) want(t *rapid.T, what string, p Point, latency bool, in func(at time.Time, stage string) bool) {
	var values []float64
	for _, x := range m {
		switch {
		case !in(x.at, x.stage):
		case latency:
			for _, d := range x.ds {
				values = append(values, float64(d)/1e6)
			}
		default:
			values = append(values, float64(x.n))
		}
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	if p.Count != int64(len(values)) || math.Abs(p.Sum-sum) > 1e-9*sum {
		t.Fatalf("%s: %d values with sum %v, want %d with %v", what, p.Count, p.Sum, len(values), sum)
	}
	if len(values) == 0 {
		return
	}
	slices.Sort(values)
	if p.Min != values[0] || p.Max != values[len(values)-1] {
		t.Fatalf("%s: %v to %v, want %v to %v", what, p.Min, p.Max, values[0], values[len(values)-1])
	}
	for _, q := range []float64{0, 50, 90, 99, 99.9, 100} {
		rank := max(int(math.Ceil(q/100*float64(len(values)))), 1)
		got, ok := p.Percentile(q)
		if ok != latency {
			t.Fatalf("%s: p%v is there: %v", what, q, ok)
		}
		if want := values[rank-1]; latency && math.Abs(got-want) > max(0.01*want, 0.001) {
			t.Fatalf("%s: p%v of %d values is %v, want %v", what, q, len(values), got, want)
		}
	}
}

// Points and totals equal those computed from the single values, percentiles within
// 1 %; whatever was flushed when, and after compaction as well for steps of a minute.
func TestPointsEqualTheValues(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		f := reopened(t, filepath.Join(dir, "m"+string(rune('a'+runs%26))+time.Duration(runs).String()+".db"))
		defer func() { _ = f.Close() }()
		m := draw(rt)
		for _, x := range m {
			f.set(x.at)
			f.Record(&pipeline.Report{Stage: x.stage, Events: x.n, Latency: x.ds})
			if rapid.Bool().Draw(rt, "flush") {
				f.flush(t)
			}
		}
		f.flush(t)
		r := f.reader(t)
		defer func() { _ = r.Close() }()
		m.compare(t, rt, r, time.Duration(rapid.SampledFrom([]int{1, 7, 60, 90, 3600}).Draw(rt, "period"))*time.Second)
		if err := f.compact(context.Background(), epoch.Add(keepSeconds+time.Hour)); err != nil {
			rt.Fatal(err)
		}
		if n := f.rows(t, second); n != 0 {
			rt.Fatalf("%d points of seconds left", n)
		}
		m.compare(t, rt, r, time.Duration(rapid.SampledFrom([]int{60, 120, 3600}).Draw(rt, "period"))*time.Second)
	})
}

func (m model) compare(t *testing.T, rt *rapid.T, r *Reader, period time.Duration) {
	for _, stage := range []string{spec.Process, spec.Persist, ""} {
		of := func(s string) bool { return stage == "" || s == stage }
		for _, metric := range []string{spec.BatchSize, spec.EventLatency} {
			latency := metric == spec.EventLatency
			all := func(_ time.Time, s string) bool { return of(s) }
			m.want(rt, "total", total(t, r, metric, stage), latency, all)
			points := query(t, r, metric, stage, epoch.Add(-time.Hour), epoch.Add(time.Hour), period)
			var n int64
			for i, p := range points {
				if i > 0 && !p.Start.After(points[i-1].Start) || p.Start.Unix()%int64(period/time.Second) != 0 {
					rt.Fatalf("point %d begins at %v", i, p.Start)
				}
				m.want(rt, metric+" "+stage+" in "+period.String()+" from "+p.Start.String(), p, latency, func(at time.Time, s string) bool {
					return of(s) && !at.Before(p.Start) && at.Before(p.Start.Add(period))
				})
				n += p.Count
			}
			if sum := total(t, r, metric, stage); n != sum.Count {
				rt.Fatalf("points have %d values, the total %d", n, sum.Count)
			}
		}
	}
}

func TestQueryBounds(t *testing.T) {
	f := newFixture(t)
	for i := range 10 {
		f.set(epoch.Add(time.Duration(i)*time.Second + 900*time.Millisecond))
		f.Record(&pipeline.Report{Stage: spec.Ingest, Events: 1})
	}
	f.flush(t)
	r := f.reader(t)
	for _, c := range []struct {
		from, to time.Duration
		want     int
	}{
		{0, 10 * time.Second, 10}, {0, 9 * time.Second, 9}, {1, 10 * time.Second, 9}, {3 * time.Second, 3*time.Second + 1, 1},
		{-time.Hour, 0, 0}, {time.Minute, time.Hour, 0}, {5 * time.Second, 2 * time.Second, 0},
	} {
		n := 0
		for _, p := range query(t, r, spec.BatchSize, spec.Ingest, epoch.Add(c.from), epoch.Add(c.to), time.Minute) {
			n += int(p.Count)
		}
		if n != c.want {
			t.Errorf("from %v to %v: %d, want %d", c.from, c.to, n, c.want)
		}
	}
}

func TestWrongQuestionsAreRefused(t *testing.T) {
	f := newFixture(t)
	r := f.reader(t)
	for name, ask := range map[string]func() error{
		`there is no metric "EventLatencies"`: func() error {
			_, err := r.Total(t.Context(), "EventLatencies", "")
			return err
		},
		`stage "ingest" does not emit EventsStored; these do: persist`: func() error {
			_, err := r.Query(t.Context(), spec.EventsStored, spec.Ingest, epoch, epoch, time.Second)
			return err
		},
		"period 1.5s is not a whole number of seconds": func() error {
			_, err := r.Query(t.Context(), spec.EventsStored, "", epoch, epoch, 1500*time.Millisecond)
			return err
		},
	} {
		if err := ask(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
	if _, err := OpenReader(t.Context(), filepath.Join(t.TempDir(), "none.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := Open(t.Context(), f.path, Options{}); err == nil {
		t.Error("opened without a clock")
	}
}

func TestTotalsSurviveRestartsAndDeletion(t *testing.T) {
	f := newFixture(t)
	for range 3 {
		f = reopened(t, f.path)
		f.Record(&pipeline.Report{Stage: spec.Persist, Events: 7, Latency: []time.Duration{time.Second}})
		if err := f.Close(); err != nil { // writes what is left
			t.Fatal(err)
		}
	}
	f = reopened(t, f.path)
	if err := f.compact(t.Context(), epoch.Add(keepMinutes+2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if s, m := f.rows(t, second), f.rows(t, minute); s+m != 0 {
		t.Errorf("%d seconds and %d minutes are older than 15 days", s, m)
	}
	p := total(t, f.reader(t), spec.BatchSize, spec.Persist)
	if p.Sum != 21 || p.Count != 3 {
		t.Errorf("total %+v", p)
	}
	l := total(t, f.reader(t), spec.EventLatency, "")
	if v, ok := l.Percentile(50); !ok || v != 1000 {
		t.Errorf("p50 %v", v)
	}
}

func TestOnlyOldSecondsAreCompacted(t *testing.T) {
	f := newFixture(t)
	for _, age := range []time.Duration{2 * time.Hour, 61 * time.Minute, 59 * time.Minute, 0} {
		f.set(epoch.Add(-age))
		f.Record(&pipeline.Report{Stage: spec.Ingest, Events: 1})
		f.set(epoch.Add(-age + time.Second))
		f.Record(&pipeline.Report{Stage: spec.Ingest, Events: 1})
	}
	f.flush(t)
	if err := f.compact(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	var starts []string
	for _, p := range query(t, f.reader(t), spec.BatchSize, spec.Ingest, epoch.Add(-3*time.Hour), epoch.Add(time.Hour), time.Second) {
		starts = append(starts, p.Start.Format(time.TimeOnly))
	}
	want := []string{"01:00:00", "01:59:00", "02:01:00", "02:01:01", "03:00:00", "03:00:01"}
	if !slices.Equal(starts, want) {
		t.Errorf("points at %v, want %v", starts, want)
	}
}

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

// No query looks at all points: there are a million.
func TestQueriesUseTheKeys(t *testing.T) {
	f := newFixture(t)
	err := f.db.Read(t.Context(), func(conn *sqlite.Conn) error {
		for query, args := range map[string][]any{
			rangeQuery: {"x", "", "", 1, 2}, totalQuery: {"x", "", ""}, oldestQuery: {1},
			minuteQuery: {1, 2, 3}, mergedQuery: {1, 2, 3}, deleteQuery: {1, 2},
		} {
			steps := 0
			if err := sqlitex.Execute(conn, "EXPLAIN QUERY PLAN "+query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(row *sqlite.Stmt) error {
				if plan := row.ColumnText(3); strings.HasPrefix(plan, "SCAN") {
					t.Errorf("%s\n%s", query, plan)
				}
				steps++
				return nil
			}}); err != nil {
				return err
			}
			if steps == 0 {
				t.Errorf("no plan of %s", query)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An invocation of 3,000 events that all end in it, and one of ten that end elsewhere.
func BenchmarkRecord(b *testing.B) {
	for _, r := range []*pipeline.Report{
		{Stage: spec.Persist, Events: 3000, Stored: 3000, Latency: slices.Repeat([]time.Duration{120 * time.Millisecond}, 3000)},
		{Stage: spec.Process, Events: 10, Packs: 1, BytesRaw: 10, BytesOut: 5},
	} {
		b.Run(r.Stage, func(b *testing.B) {
			f := newFixture(b)
			b.ReportAllocs()
			for b.Loop() {
				f.Record(r)
			}
		})
	}
}

// One second of a busy process: three stages with all their metrics.
func BenchmarkFlush(b *testing.B) {
	f := newFixture(b)
	for i := 0; b.Loop(); i++ {
		f.set(epoch.Add(time.Duration(i) * time.Second))
		for _, stage := range spec.Stages {
			f.Record(&pipeline.Report{Stage: stage.Name, Events: 100, Latency: []time.Duration{time.Millisecond, time.Second}})
		}
		f.flush(b)
	}
}

// A day of p99 by the minute.
func BenchmarkQuery(b *testing.B) {
	f := newFixture(b)
	ds := make([]time.Duration, 500)
	for i := range ds {
		ds[i] = time.Duration(i*i) * time.Microsecond
	}
	for i := range 24 * 60 {
		f.set(epoch.Add(time.Duration(i) * time.Minute))
		f.Record(&pipeline.Report{Stage: spec.Persist, Events: 500, Latency: ds})
	}
	f.flush(b)
	r := f.reader(b)
	for b.Loop() {
		if ps := query(b, r, spec.EventLatency, spec.Persist, epoch, epoch.Add(24*time.Hour), time.Minute); len(ps) != 24*60 {
			b.Fatalf("%d points", len(ps))
		}
	}
}
