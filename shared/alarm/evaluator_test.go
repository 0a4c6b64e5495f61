package alarm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

var start = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// series of data that a test sets: the statistic by series, for each whole minute.
type fake struct {
	at  map[string]map[time.Time]float64
	err map[string]error
}

func newFake() *fake {
	return &fake{at: map[string]map[time.Time]float64{}, err: map[string]error{}}
}

func (f *fake) set(stage, metric string, minute int, v float64) {
	key := stage + " " + metric
	if f.at[key] == nil {
		f.at[key] = map[time.Time]float64{}
	}
	f.at[key][start.Add(time.Duration(minute)*time.Minute)] = v
}

// Query adds minutes up, or takes their greatest, whatever the statistic asks.
func (f *fake) Query(_ context.Context, s spec.Series, end time.Time, period time.Duration, n int) ([]Value, error) {
	key := s.Stage + " " + s.Metric
	if err := f.err[key]; err != nil {
		return nil, err
	}
	values := make([]Value, n)
	for i := range values {
		from := end.Add(-time.Duration(n-i) * period)
		for t := from; t.Before(from.Add(period)); t = t.Add(time.Minute) {
			if v, ok := f.at[key][t]; ok {
				if s.Stat == spec.Sum {
					v += values[i].V
				}
				values[i] = Value{v, true}
			}
		}
	}
	return values, nil
}

func table(t *testing.T, names ...string) []spec.Alarm {
	t.Helper()
	var alarms []spec.Alarm
	for _, n := range names {
		a, ok := spec.AlarmByName(n)
		if !ok {
			t.Fatalf("there is no alarm %s", n)
		}
		alarms = append(alarms, a)
	}
	return alarms
}

func everything(spec.Need) bool { return true }

// run evaluates at the end of each minute up to the given one, and returns the changes as
// "minute stage alarm state".
func run(t *testing.T, e *Evaluator, from, to int) []string {
	t.Helper()
	var lines []string
	for m := from; m <= to; m++ {
		changes, err := e.Evaluate(t.Context(), start.Add(time.Duration(m)*time.Minute+settle))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			lines = append(lines, fmt.Sprintf("%d %s %s %s", m, c.Stage, c.Alarm, c.To))
		}
	}
	return lines
}

func want(t *testing.T, got []string, lines ...string) {
	t.Helper()
	if !slices.Equal(got, lines) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

func TestBreakerOpensAndCloses(t *testing.T) {
	f := newFake()
	for m := range 20 {
		v := 0.0
		if m >= 5 && m < 12 {
			v = spec.BreakerOpen
		}
		f.set(spec.Persist, spec.BreakerState, m, v)
	}
	e := New(Options{Source: f, Alarms: table(t, "breaker-open")})
	want(t, run(t, e, 1, 20), "1 persist breaker-open OK", "10 persist breaker-open ALARM", "13 persist breaker-open OK")
	if n := len(e.History()); n != 2 {
		t.Errorf("%d changes are remembered", n)
	}
	c := e.History()[0]
	if v := c.Values(); len(v) != 1 || v[0] != 1 || c.Conditions[0].Threshold != 1 || c.From != OK || !c.At.Equal(start.Add(10*time.Minute+settle)) {
		t.Errorf("got %+v", c)
	}
}

// Silence of the monitor is an outage, and a heartbeat of 0 as well.
func TestMissingHeartbeat(t *testing.T) {
	f := newFake()
	for m := range 10 {
		f.set(spec.Persist, spec.Heartbeat, m, 1)
	}
	e := New(Options{Source: f, Alarms: table(t, "store-unreachable")})
	// Three periods without data; before that the two of the range that are older count.
	want(t, run(t, e, 4, 20), "4 persist store-unreachable OK", "15 persist store-unreachable ALARM")
	for m := 20; m < 30; m++ {
		f.set(spec.Persist, spec.Heartbeat, m, 0)
	}
	want(t, run(t, e, 21, 30))
	for m := 30; m < 40; m++ {
		f.set(spec.Persist, spec.Heartbeat, m, 1)
	}
	want(t, run(t, e, 31, 40), "31 persist store-unreachable OK")
}

// A pipeline that has just been started has no heartbeats of before, and that is no outage;
// one that is started and has none is.
func TestJustStarted(t *testing.T) {
	f := newFake()
	o := Options{Source: f, Alarms: table(t, "store-unreachable"), Since: start.Add(30 * time.Second)}
	want(t, run(t, New(o), 1, 10), "1 persist store-unreachable OK", "4 persist store-unreachable ALARM")
	f.set(spec.Persist, spec.Heartbeat, 1, 1)
	want(t, run(t, New(o), 1, 10), "1 persist store-unreachable OK", "7 persist store-unreachable ALARM")
}

func TestRateIsGatedByEvents(t *testing.T) {
	f := newFake()
	for m := range 10 {
		f.set(spec.Process, spec.BatchSize, m, 99)
		f.set(spec.Process, spec.FailedEvents, m, 99)
	}
	for m := 10; m < 20; m++ {
		f.set(spec.Process, spec.BatchSize, m, 100)
		f.set(spec.Process, spec.FailedEvents, m, 51)
	}
	e := New(Options{Source: f, Alarms: table(t, "error-rate-critical")})
	got := run(t, e, 1, 20)
	want(t, got[3:], "13 process error-rate-critical ALARM") // got[:3]: each stage becomes OK
}

// Both windows must burn: the short one says that it still goes on.
func TestBurnRateNeedsBothWindows(t *testing.T) {
	f := newFake()
	for m := range 180 {
		f.set(spec.Persist, spec.BatchSize, m, 1000)
		failed := 0.0
		if m >= 60 && m < 75 { // 15 of 60 minutes with 10 % are 2.5 %: 25 times too fast
			failed = 100
		}
		f.set(spec.Persist, spec.FailedEvents, m, failed)
	}
	alarms := table(t, "error-burn-fast")
	alarms[0].Stages = []string{spec.Persist}
	e := New(Options{Source: f, Alarms: alarms})
	// 1.44 % of 60,000 events are 864: the ninth minute, and as the long window is judged
	// every second minute, the tenth at the latest. It clears when the short window does.
	got := run(t, e, 1, 180)
	if len(got) != 3 || !strings.HasSuffix(got[1], "ALARM") || got[2] != "80 persist error-burn-fast OK" {
		t.Fatalf("got %q", got)
	}
	if got[1] != "69 persist error-burn-fast ALARM" && got[1] != "70 persist error-burn-fast ALARM" {
		t.Errorf("fired at %s", got[1])
	}
}

func TestAlarmWithSeveralConditions(t *testing.T) {
	f := newFake()
	const age = "ApproximateAgeOfOldestMessage"
	for m := range 60 {
		v := 0.0
		if m >= 20 {
			v = 700 // messages wait
		}
		f.set(spec.Process, age, m, v)
		if m < 30 {
			f.set(spec.Process, spec.EventThroughput, m, 10) // and nothing is heard of the stage from 30 on
		}
	}
	alarms := table(t, "stalled")
	alarms[0].Stages = []string{spec.Process}
	e := New(Options{Source: f, Alarms: alarms})
	want(t, run(t, e, 1, 60), "1 process stalled OK", "43 process stalled ALARM")
	s := e.Statuses()[0]
	if len(s.Conditions) != 2 || s.Conditions[0].Name != "waiting" || *s.Conditions[0].Value != 700 || s.Conditions[1].Value != nil {
		t.Errorf("got %+v", s.Conditions)
	}
}

func TestWhatIsNotMeasuredIsNotJudged(t *testing.T) {
	f := newFake()
	f.err[spec.Ingest+" Throttles"] = ErrNotMeasured
	alarms := table(t, "function-throttles")
	alarms[0].Stages = []string{spec.Ingest}
	e := New(Options{Source: f, Alarms: alarms})
	want(t, run(t, e, 1, 5))
	if s := e.Statuses()[0]; s.Measured || s.State != Insufficient {
		t.Errorf("got %+v", s)
	}
}

func TestOneBadAlarmDoesNotStopTheOthers(t *testing.T) {
	f := newFake()
	down := errors.New("disk full")
	f.err[spec.Persist+" "+spec.BreakerState] = down
	e := New(Options{Source: f, Alarms: table(t, "breaker-open", "store-unreachable")})
	changes, err := e.Evaluate(t.Context(), start)
	if !errors.Is(err, down) || !strings.Contains(err.Error(), "breaker-open of persist") {
		t.Errorf("got %v", err)
	}
	if len(changes) != 1 || changes[0].Alarm != "store-unreachable" {
		t.Errorf("got %+v", changes)
	}
}

func TestNeedsAreHeeded(t *testing.T) {
	for _, s := range New(Options{Source: newFake()}).Statuses() {
		if a, _ := spec.AlarmByName(s.Alarm); a.Needs != spec.NeedsNothing {
			t.Errorf("%s needs %s", s.Alarm, a.Needs)
		}
	}
	n := 0
	for _, a := range spec.Alarms {
		n += len(a.Stages)
	}
	if got := len(New(Options{Source: newFake(), Have: everything}).Statuses()); got != n {
		t.Errorf("%d of %d", got, n)
	}
}

func TestSaveAndRestore(t *testing.T) {
	f := newFake()
	for m := range 10 {
		f.set(spec.Persist, spec.BreakerState, m, spec.BreakerOpen)
	}
	o := Options{Source: f, Alarms: table(t, "breaker-open", "kafka-offline-partitions"), Have: everything}
	f.set(spec.Ingest, spec.OfflinePartitions, 0, 3)
	f.set(spec.Ingest, spec.OfflinePartitions, 1, 3)
	e := New(o)
	run(t, e, 1, 10)
	saved, err := e.Save()
	if err != nil {
		t.Fatal(err)
	}
	again := New(o)
	if err := again.Restore(saved); err != nil {
		t.Fatal(err)
	}
	if len(again.History()) != 2 || !reflect.DeepEqual(again.History()[0].Conditions, e.History()[0].Conditions) {
		t.Errorf("history %+v", again.History())
	}
	// Offline partitions are remembered although nothing is heard of them any more.
	want(t, run(t, again, 11, 20), "13 persist breaker-open OK")
	if s := again.Statuses()[1]; s.State != InAlarm {
		t.Errorf("got %+v", s)
	}
	for _, bad := range []string{"", "{", `{"version":99}`} {
		if New(o).Restore([]byte(bad)) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	f := newFake()
	e := New(Options{Source: f, Alarms: table(t, "kafka-failed"), Have: everything})
	for m := range 2 * maxHistory {
		f.set(spec.Ingest, "ApproximateNumberOfMessagesVisible", m, float64(m%2))
	}
	run(t, e, 1, 2*maxHistory)
	h := e.History()
	if len(h) != maxHistory || !h[len(h)-1].At.After(h[0].At) {
		t.Errorf("%d changes", len(h))
	}
}

// Two alarms of one stage and severity are one page; one of another severity is another.
func TestOneFaultOnePage(t *testing.T) {
	statuses := []Status{
		{Alarm: "stalled", Stage: spec.Persist, Severity: spec.P1, State: InAlarm, Measured: true},
		{Alarm: "breaker-open", Stage: spec.Persist, Severity: spec.P1, State: InAlarm, Measured: true},
		{Alarm: "queue-age", Stage: spec.Persist, Severity: spec.P3, State: InAlarm, Measured: true},
		{Alarm: "function-errors", Stage: spec.Persist, Severity: spec.P2, State: InAlarm},
		{Alarm: "latency-high", Stage: spec.Persist, Severity: spec.P2, State: OK, Measured: true},
	}
	want := []PagerState{
		{spec.Persist, spec.P1, []string{"stalled", "breaker-open"}},
		{spec.Persist, spec.P3, []string{"queue-age"}},
	}
	if got := Pagers(statuses); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}
