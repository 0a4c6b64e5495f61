package metrics

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

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
	if err := f.compact(t.Context(), epoch.Add(keptAsMinute+2*time.Hour)); err != nil {
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

func TestAddRefusesWhatNobodyCouldRead(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct{ metric, of string }{
		{"Heartbeats", spec.Persist}, {spec.Heartbeat, spec.Process}, {"AWS/Lambda Throttles", spec.Persist},
	} {
		if err := f.Add(c.metric, c.of, 1); err == nil {
			t.Errorf("%s of %s was recorded", c.metric, c.of)
		}
	}
	for _, v := range []float64{1, 0} {
		if err := f.Add(spec.Heartbeat, spec.Persist, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Add("AWS/SQS ApproximateNumberOfMessagesVisible", "process-dlq", 12); err != nil {
		t.Fatal(err)
	}
	f.flush(t)
	r := f.reader(t)
	if p := total(t, r, spec.Heartbeat, spec.Persist); p.Count != 2 || p.Min != 0 || p.Max != 1 {
		t.Errorf("got %+v", p)
	}
	if p := total(t, r, "AWS/SQS ApproximateNumberOfMessagesVisible", "process-dlq"); p.Max != 12 {
		t.Errorf("got %+v", p)
	}
}
