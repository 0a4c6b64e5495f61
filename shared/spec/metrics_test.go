package spec

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Amazon CloudWatch API reference, MetricDatum: Unit.
const units = "Seconds|Microseconds|Milliseconds|Bytes|Kilobytes|Megabytes|Gigabytes|Terabytes|" +
	"Bits|Kilobits|Megabits|Gigabits|Terabits|Percent|Count|Bytes/Second|Kilobytes/Second|" +
	"Megabytes/Second|Gigabytes/Second|Terabytes/Second|Bits/Second|Kilobits/Second|" +
	"Megabits/Second|Gigabits/Second|Terabits/Second|Count/Second|None"

func TestMetricsAreValidForCloudWatch(t *testing.T) {
	name := regexp.MustCompile(`^[A-Z][A-Za-z]{1,60}$`)                                     // CloudWatch takes any 255 ASCII characters
	statistic := regexp.MustCompile(`^(SampleCount|Sum|Average|Minimum|Maximum|p\d{1,2})$`) // MetricStat: Stat
	seen := map[string]bool{}
	for _, m := range Metrics {
		if !name.MatchString(m.Name) || seen[m.Name] {
			t.Errorf("metric %q: bad or repeated name", m.Name)
		}
		seen[m.Name] = true
		if !slices.Contains(strings.Split(units, "|"), string(m.Unit)) {
			t.Errorf("%s: CloudWatch has no unit %q", m.Name, m.Unit)
		}
		if !statistic.MatchString(string(m.Statistic)) {
			t.Errorf("%s: CloudWatch has no statistic %q", m.Name, m.Statistic)
		}
		if len(m.Stages) == 0 {
			t.Errorf("%s: no stage emits it", m.Name)
		}
		for _, s := range m.Stages {
			if _, ok := StageByName(s); !ok && s != Redrive {
				t.Errorf("%s: %q is no stage", m.Name, s)
			}
		}
		if !strings.HasSuffix(m.Meaning, ".") || strings.Count(m.Meaning, ". ") > 0 {
			t.Errorf("%s: the meaning is not one sentence: %s", m.Name, m.Meaning)
		}
		if m.Distribution != strings.HasPrefix(string(m.Statistic), "p") {
			t.Errorf("%s: percentiles are for distributions: %s", m.Name, m.Statistic)
		}
	}
	if !regexp.MustCompile(`^[0-9A-Za-z._/#-][0-9A-Za-z._/#:-]{0,254}$`).MatchString(Namespace) || strings.HasPrefix(Namespace, "AWS/") {
		t.Errorf("namespace %q", Namespace)
	}
}

func TestDimensionsAreBounded(t *testing.T) {
	if !slices.Equal(Dimensions[:], []string{"Service", "Stage", "Env"}) {
		t.Fatalf("dimensions %q: every further one multiplies the bill", Dimensions)
	}
	for _, d := range Dimensions {
		if _, taken := MetricByName(d); taken {
			t.Errorf("%s is a dimension and a metric: in a log line both would be the same member", d)
		}
	}
	for _, s := range Stages {
		if err := CheckDimension(s.Name); err != nil {
			t.Error(err)
		}
	}
	if err := CheckDimension(Service); err != nil {
		t.Error(err)
	}
}

func TestMetricByName(t *testing.T) {
	m, ok := MetricByName(EventsStored)
	if !ok || !m.EmittedBy(Persist) || m.EmittedBy(Ingest) {
		t.Errorf("EventsStored: %v %+v", ok, m)
	}
	if _, ok := MetricByName("eventsstored"); ok {
		t.Error("metric names are case-sensitive in CloudWatch")
	}
}

func TestCheckDimension(t *testing.T) {
	for _, good := range []string{"prod", "eu-west-1 blue", strings.Repeat("x", 1024)} {
		if err := CheckDimension(good); err != nil {
			t.Errorf("%.20q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "   ", "münchen", "a\nb", "\x7f", strings.Repeat("x", 1025)} {
		if CheckDimension(bad) == nil {
			t.Errorf("%.20q was accepted", bad)
		}
	}
}
