package spec

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// everyCondition calls f with each condition of each alarm for each of its stages.
func everyCondition(t *testing.T, f func(t *testing.T, a Alarm, stage string, c Condition)) {
	t.Helper()
	for _, a := range Alarms {
		for _, stage := range a.Stages {
			for _, c := range a.When {
				t.Run(ConditionName("e", stage, a.Name, c.Name), func(t *testing.T) { f(t, a, stage, c) })
			}
		}
	}
}

func TestAlarmsAreComplete(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[string]bool{}
	for _, a := range Alarms {
		if !name.MatchString(a.Name) || seen[a.Name] {
			t.Errorf("alarm %q: bad or repeated name", a.Name)
		}
		seen[a.Name] = true
		if _, ok := SeverityByName(a.Severity); !ok {
			t.Errorf("%s: severity %q", a.Name, a.Severity)
		}
		if len(a.Stages) == 0 || len(a.When) == 0 || len(a.Causes) == 0 || len(a.Diagnose) == 0 || len(a.Fix) == 0 {
			t.Errorf("%s: stages, conditions, causes, diagnosis and fix are needed", a.Name)
		}
		for _, s := range a.Stages {
			if !slices.Contains(AlarmStages, s) {
				t.Errorf("%s: %q is no stage", a.Name, s)
			}
		}
		if !strings.HasSuffix(a.Meaning, ".") || strings.ContainsAny(a.Meaning, "|\n") {
			t.Errorf("%s: meaning %q", a.Name, a.Meaning)
		}
		if !strings.HasPrefix(a.Command, "millrace ") {
			t.Errorf("%s: the first command is %q", a.Name, a.Command)
		}
		if a.Mute != MuteNever && a.Mute != MuteInDeploy {
			t.Errorf("%s: mute rule %q", a.Name, a.Mute)
		}
		if a.Mute == MuteInDeploy && a.Severity == P1 {
			t.Errorf("%s: a critical alarm must not be silent while a deployment may be its cause", a.Name)
		}
		if !slices.Contains([]Need{NeedsNothing, NeedsKafka, NeedsMSK, NeedsMongo, NeedsTopics}, a.Needs) {
			t.Errorf("%s: needs %q", a.Name, a.Needs)
		}
		names := map[string]bool{}
		for _, c := range a.When {
			if names[c.Name] || (c.Name == "") != (len(a.When) == 1) {
				t.Errorf("%s: condition %q: a name for each where there are several, none for a single one", a.Name, c.Name)
			}
			names[c.Name] = true
		}
	}
}

// Amazon CloudWatch API reference, PutMetricAlarm: Period, EvaluationPeriods, Metrics.
func TestConditionsFitCloudWatch(t *testing.T) {
	everyCondition(t, func(t *testing.T, _ Alarm, stage string, c Condition) {
		for _, shorten := range []float64{1, 7, 60, 1e9} {
			s := int(c.Scope(stage, nil, shorten).Period / time.Second)
			if s != 10 && s != 20 && s != 30 && (s < 60 || s%60 != 0) {
				t.Errorf("a period of %d s", s)
			}
			window := s * c.N
			if window > 7*86400 || s < 3600 && window > 86400 {
				t.Errorf("%d periods of %d s are too long", c.N, s)
			}
		}
		if c.M < 1 || c.M > c.N {
			t.Errorf("%d of %d", c.M, c.N)
		}
		if c.Missing != MissingBreaches && c.Missing != MissingIsGood && c.Missing != MissingKeeps {
			t.Errorf("missing data %q", c.Missing)
		}
		if !strings.HasSuffix(c.MissingWhy, ".") {
			t.Errorf("why missing data is %s: %q", c.Missing, c.MissingWhy)
		}
		if c.Compare != Above && c.Compare != AtLeast && c.Compare != Below {
			t.Errorf("comparison %q", c.Compare)
		}
		q := Render(c.Value, c.Scope(stage, nil, 1))
		if n := len(q.Series); n == 0 || n > MaxSeries || (n > 1) != (q.Math != "") && n > 1 {
			t.Errorf("%d metrics, expression %q", n, q.Math)
		}
		percentile := q.Math == "" && strings.HasPrefix(string(q.Series[0].Stat), "p")
		if percentile != (c.LowSamples != "") {
			t.Errorf("statistic %s, low samples %q", q.Series[0].Stat, c.LowSamples)
		}
		if (q.Math != "") != (c.Label != "") {
			t.Errorf("expression %q, label %q", q.Math, c.Label)
		}
		if strings.Contains(q.Math, "NaN") {
			t.Errorf("a threshold that is not in the table: %s", q.Math)
		}
		if l := Render(c.Threshold, c.Scope(stage, nil, 1)); len(l.Series) > 0 || strings.Contains(l.Math, "NaN") {
			t.Errorf("threshold %s of %v", l.Math, l.Series)
		}
	})
}

// An alarm on a metric that nobody emits with exactly these dimensions never fires.
func TestEverySeriesIsEmitted(t *testing.T) {
	everyCondition(t, func(t *testing.T, a Alarm, stage string, c Condition) {
		for _, s := range Render(c.Value, c.Scope(stage, nil, 1)).Series {
			var names []string
			for _, d := range s.Dimensions("prod", "cluster") {
				names = append(names, d.Name)
				if err := CheckDimension(d.Value); err != nil {
					t.Errorf("%s: %v", s, err)
				}
			}
			if s.Namespace != Namespace {
				if m, ok := AWSMetricOf(s.Namespace, s.Metric); !ok || !slices.Equal(names, []string{m.Dimension}) || (s.Of == OfCluster) != (s.Namespace == AWSKafka) {
					t.Errorf("%s %s has the dimensions %q", s.Namespace, s.Metric, names)
				}
				continue
			}
			m, ok := MetricByName(s.Metric)
			if !ok || !m.EmittedBy(s.Stage) || s.Of != OfStage {
				t.Errorf("%s does not emit %s", s.Stage, s.Metric)
			}
			if !slices.Equal(names, Dimensions[:]) || s.Dimensions("prod", "")[1].Value != s.Stage || s.Dimensions("prod", "")[2].Value != "prod" {
				t.Errorf("%s: dimensions %v", s, s.Dimensions("prod", ""))
			}
			if m.Monitored && c.Period < MonitorEvery {
				t.Errorf("%s has a value each %v, and the period is %v", s, MonitorEvery, c.Period)
			}
			if percentile := strings.HasPrefix(string(s.Stat), "p"); percentile && m.Statistic == Sum {
				t.Errorf("%s: a percentile of counts", s)
			}
		}
	})
}

// Silence of the monitor must not look like health.
func TestMonitoredMetricsArePaged(t *testing.T) {
	for _, stage := range []string{Ingest, Persist} {
		found := false
		for _, a := range Alarms {
			for _, c := range a.When {
				for _, s := range Render(c.Value, Scope{Stage: stage}).Series {
					found = found || s.Metric == Heartbeat && s.Stage == stage && slices.Contains(a.Stages, stage) && c.Missing == MissingBreaches
				}
			}
		}
		if !found {
			t.Errorf("no alarm fires when the heartbeat of %s is missing", stage)
		}
	}
}

// Every alert of the two runbooks, by meaning.
func TestAlertsOfTheRunbooks(t *testing.T) {
	for _, c := range []struct {
		alert     string
		alarm     string
		threshold float64 // of the first condition
		window    time.Duration
		severity  string
	}{
		{"consumer lag > 1,000 for 5 minutes", "consumer-lag-warning", 1000, 5 * time.Minute, P4},
		{"consumer lag > 10,000", "consumer-lag-high", 10_000, 5 * time.Minute, P3},
		{"consumer lag > 100K is P2", "consumer-lag-critical", 100_000, 5 * time.Minute, P2},
		{"Kafka broker down: critical", "kafka-unreachable", 1, 3 * time.Minute, P1},
		{"under-replicated partitions should be 0", "kafka-broker-down", 0, 5 * time.Minute, P2},
		{"events not being consumed", "kafka-stalled", 1, 5 * time.Minute, P1},
		{"circuit breaker open for 5 minutes: critical", "breaker-open", 1, 5 * time.Minute, P1},
		{"error rate > 1 % for 10 minutes: warning", "error-rate-warning", 1, 10 * time.Minute, P4},
		{"error rate > 5 % is P3", "error-rate-elevated", 5, 10 * time.Minute, P3},
		{"error rate > 10 % is P2", "error-rate-high", 10, 5 * time.Minute, P2},
		{"error rate > 50 % is P1", "error-rate-critical", 50, 3 * time.Minute, P1},
		{"events not being published, > 1 % for 10 minutes", "publish-failures", 1, 10 * time.Minute, P3},
		{"DLQ > 100 messages for 15 minutes", "dlq-growing", 100, 15 * time.Minute, P3},
		{"dead letters near the end of their retention", "dlq-expiring", 864_000, 5 * time.Minute, P2},
		{"latency p99 > 2,000 ms", "latency-high", 2000, 5 * time.Minute, P2},
		{"throughput < 50K events/s", "throughput-floor", 10_000, 5 * time.Minute, P2},
		{"delivery < 99 %", "delivery", 99, 15 * time.Minute, P2},
		{"availability < 99.9 %", "availability", 99.9, 15 * time.Minute, P2},
		{"events in PROCESSING for an hour", "stuck-events", 0, 15 * time.Minute, P3},
		{"slow MongoDB", "store-slow", 1000, 5 * time.Minute, P3},
		{"connection pool exhaustion", "pool-exhausted", 0, 5 * time.Minute, P2},
		{"MongoDB down", "store-unreachable", 1, 3 * time.Minute, P1},
		{"SQS queue depth increasing", "queue-age", 300, 5 * time.Minute, P3},
		{"Lambda invocation failures", "function-errors", 1, 15 * time.Minute, P2},
		{"throttles", "function-throttles", 10, 5 * time.Minute, P3},
		{"duration near the timeout", "function-duration", 24_000, 5 * time.Minute, P3},
		{"concurrency near the limit", "function-concurrency", 800, 5 * time.Minute, P3},
		{"redrive looping", "redrive-looping", 0, 5 * time.Minute, P3},
		{"data loss occurring is P1", "notifications-lost", 0, time.Minute, P1},
		{"system completely down is P1", "stalled", 600, 5 * time.Minute, P1},
	} {
		a, ok := AlarmByName(c.alarm)
		if !ok {
			t.Errorf("%s: there is no alarm %s", c.alert, c.alarm)
			continue
		}
		w := a.When[0]
		limit := w.Limit(w.Scope(a.Stages[0], nil, 1))
		if limit != c.threshold || w.Period*time.Duration(w.N) != c.window || a.Severity != c.severity {
			t.Errorf("%s: %s is %s, threshold %v over %v", c.alert, a.Name, a.Severity, limit, w.Period*time.Duration(w.N))
		}
	}
	floor, _ := AlarmByName("throughput-floor")
	if l := floor.When[1].Limit(Scope{}); l != 50_000 {
		t.Errorf("throughput floor %v", l)
	}
}

// Each is counted as one metric alarm or composite alarm; a composite has at most 100
// children (PutCompositeAlarm).
func TestPagers(t *testing.T) {
	all := Pagers(func(Need) bool { return true })
	paged := map[string]int{}
	for _, p := range all {
		if len(p.Alarms) > 100 {
			t.Errorf("%s %s has %d children", p.Stage, p.Severity, len(p.Alarms))
		}
		for _, a := range p.Alarms {
			paged[a.Name+" "+p.Stage]++
			if a.Severity != p.Severity {
				t.Errorf("%s is %s and pages as %s", a.Name, a.Severity, p.Severity)
			}
		}
	}
	n := 0
	for _, a := range Alarms {
		for _, s := range a.Stages {
			n++
			if paged[a.Name+" "+s] != 1 {
				t.Errorf("%s of %s pages %d times", a.Name, s, paged[a.Name+" "+s])
			}
		}
	}
	if len(paged) != n {
		t.Errorf("%d page, there are %d", len(paged), n)
	}
	for _, p := range Pagers(func(n Need) bool { return n != NeedsKafka && n != NeedsMSK }) {
		for _, a := range p.Alarms {
			if strings.Contains(a.Name, "kafka") || a.Name == "throughput-floor" {
				t.Errorf("%s without Kafka", a.Name)
			}
		}
	}
}

func TestAlarmNamesFitAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	env := strings.Repeat("e", maxEnv)
	add := func(name string) {
		if len(name) > 255 || seen[name] {
			t.Errorf("%s: too long or repeated", name)
		}
		seen[name] = true
	}
	for _, a := range Alarms {
		for _, s := range a.Stages {
			if len(a.When) > 1 {
				add(AlarmName(env, s, a.Name))
			}
			for _, c := range a.When {
				add(ConditionName(env, s, a.Name, c.Name))
			}
		}
	}
	for _, p := range Pagers(func(Need) bool { return true }) {
		add(PagerName(env, p.Stage, p.Severity))
	}
	if n := PagerName("prod", Persist, P1); n != "millrace-prod-persist-p1" {
		t.Error(n)
	}
}

func TestPagesFit(t *testing.T) {
	link := "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#" + strings.Repeat("x", 100)
	for _, a := range Alarms {
		for _, stage := range a.Stages {
			p := Page{Env: strings.Repeat("e", maxEnv), Stage: stage, Alarm: a, Dashboard: link, Logs: link}
			for _, text := range []string{p.Text(), p.Fired(make([]float64, len(a.When)))} {
				n := utf8.RuneCountInString(text)
				s, _ := SeverityByName(a.Severity)
				for _, part := range []string{a.Command, link, s.Within(), s.Next(), a.Name, stage} {
					if n > MaxPage || !strings.Contains(text, part) {
						t.Errorf("%s: %d characters, %q in it: %v\n%s", a.Name, n, part, strings.Contains(text, part), text)
					}
				}
				if strings.Contains(text, "…") {
					t.Errorf("%s: the meaning is cut:\n%s", a.Name, text)
				}
			}
		}
	}
	for _, p := range Pagers(func(Need) bool { return true }) {
		text := PagerText(p, link, link)
		if n := utf8.RuneCountInString(text); n > MaxPage || strings.Contains(text, "…") {
			t.Errorf("%s %s: %d characters\n%s", p.Stage, p.Severity, n, text)
		}
	}
}

func TestPageText(t *testing.T) {
	a, _ := AlarmByName("breaker-open")
	want := `P1 critical: persist breaker-open
The circuit breaker around the event store has been open for five minutes: nothing is stored. Events wait in the queue and count no attempt, so nothing is dead-lettered or lost.
Maximum BreakerState of persist is 1 (threshold ≥ 1)
Run first: millrace status
Runbook: docs/ALARMS.md#breaker-open
Respond within 15 minutes; then: secondary on-call.`
	if got := (Page{Env: "prod", Stage: Persist, Alarm: a}).Fired([]float64{1}); got != want {
		t.Errorf("got\n%s", got)
	}
	a, _ = AlarmByName("error-burn-fast")
	got := strings.Join(Page{Stage: Process, Alarm: a}.Conditions(), "\n")
	if want := "burn rate (error-rate) of process ≥ 14.4 over 1 hour\nburn rate (error-rate) of process ≥ 14.4 over 5 minutes"; got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestCut(t *testing.T) {
	for n, want := range map[int]string{-1: "", 0: "", 1: "…", 3: "äö…", 4: "äöü!", 9: "äöü!"} {
		if got := cut("äöü!", n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestThresholds(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+([A-Z][a-z]+)*$`)
	seen := map[string]bool{}
	for _, th := range Thresholds {
		if !name.MatchString(th.Name) || seen[th.Name] {
			t.Errorf("threshold %q: bad or repeated name", th.Name)
		}
		seen[th.Name] = true
		if th.Min >= th.Max || th.Check(th.Default) != nil || th.Check(th.Min) != nil || th.Check(th.Max) != nil {
			t.Errorf("%s: %v in %v to %v", th.Name, th.Default, th.Min, th.Max)
		}
		if th.Check(th.Min-1) == nil || th.Check(th.Max+1) == nil {
			t.Errorf("%s: accepted out of range", th.Name)
		}
		if !strings.HasSuffix(th.Meaning, ".") || strings.ContainsAny(th.Meaning, "|\n") {
			t.Errorf("%s: %q", th.Name, th.Meaning)
		}
	}
	errs := Values{"errorRateHigh": 200, "errorRateLow": 1, "dlqAge": 60}.Check()
	if len(errs) != 2 || errs[0].Error() != "errorRateHigh: 200 is out of range: 0.01 to 100" || errs[1].Error() != `there is no threshold "errorRateLow"` {
		t.Errorf("got %v", errs)
	}
}

// A threshold that no alarm reads would be a setting without effect.
func TestEveryThresholdIsUsed(t *testing.T) {
	for _, th := range Thresholds {
		used := false
		for _, a := range Alarms {
			for _, c := range a.When {
				with, without := c.Scope(a.Stages[0], Values{th.Name: th.Min + 0.123}, 1), c.Scope(a.Stages[0], nil, 1)
				used = used || Render(c.Value, with).Math != Render(c.Value, without).Math || c.Limit(with) != c.Limit(without)
			}
		}
		if !used {
			t.Errorf("no alarm reads %s", th.Name)
		}
	}
}

func TestAlarmsMarkdown(t *testing.T) {
	page := AlarmsMarkdown()
	for _, a := range Alarms {
		if !strings.Contains(page, "\n## "+a.Name+"\n") || !strings.Contains(page, a.Meaning) || !strings.Contains(page, a.Fix[0]) {
			t.Errorf("%s is not described", a.Name)
		}
	}
	if strings.Contains(page, "\n\n\n") {
		t.Error("two empty lines in a row")
	}
}
