package awsio

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// answers gives one page after another, and keeps what was asked.
type answers struct {
	asked []*cloudwatch.GetMetricDataInput
	pages []*cloudwatch.GetMetricDataOutput
}

func (a *answers) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	a.asked = append(a.asked, in)
	page := a.pages[0]
	a.pages = a.pages[1:]
	return page, nil
}

func page(next string, start time.Time, values map[int]float64) *cloudwatch.GetMetricDataOutput {
	var r types.MetricDataResult
	for minute, v := range values {
		r.Timestamps = append(r.Timestamps, start.Add(time.Duration(minute)*time.Minute))
		r.Values = append(r.Values, v)
	}
	out := &cloudwatch.GetMetricDataOutput{MetricDataResults: []types.MetricDataResult{r}}
	if next != "" {
		out.NextToken = aws.String(next)
	}
	return out
}

func TestSums(t *testing.T) {
	start := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	a := &answers{pages: []*cloudwatch.GetMetricDataOutput{
		page("more", start, map[int]float64{0: 1, 5: 2, 55: 4}),
		page("", start, map[int]float64{60: 8, 115: 16}),
	}}
	m := &Meter{Client: a, Env: "prod"}
	s := spec.Series{Metric: spec.BatchSize, Stat: spec.Sum}.In(spec.Persist)
	sums, there, err := m.Sums(t.Context(), s, start.Add(2*time.Hour+4*time.Minute), time.Hour, 3)
	if err != nil {
		t.Fatal(err)
	}
	// Three hours up to 05:00; the first of them has no data.
	if sums[1] != 7 || sums[2] != 24 || there[0] || !there[1] || !there[2] {
		t.Errorf("got %v %v", sums, there)
	}
	q := a.asked[0].MetricDataQueries[0].MetricStat
	if !a.asked[0].StartTime.Equal(start.Add(-time.Hour)) || !a.asked[0].EndTime.Equal(start.Add(2*time.Hour)) || *q.Period != 300 || *q.Stat != "Sum" {
		t.Errorf("asked from %v to %v, period %d", a.asked[0].StartTime, a.asked[0].EndTime, *q.Period)
	}
	var dims []string
	for _, d := range q.Metric.Dimensions {
		dims = append(dims, *d.Name+"="+*d.Value)
	}
	if got := strings.Join(dims, " "); got != "Service=millrace Stage=persist Env=prod" || *q.Metric.Namespace != spec.Namespace {
		t.Errorf("asked for %s", got)
	}
	a.pages = append(a.pages, page("", start, map[int]float64{-31 * 24 * 60: 1, 0: 2}))
	sums, there, err = m.Sums(t.Context(), s, start.Add(2*time.Minute), spec.SLOWindow, 1)
	q = a.asked[len(a.asked)-1].MetricDataQueries[0].MetricStat
	if from := a.asked[len(a.asked)-1].StartTime; err != nil || sums[0] != 3 || !there[0] || *q.Period != 86400 || from.Hour() != 0 {
		t.Errorf("%v: %v in steps of %d s from %v", err, sums, *q.Period, from)
	}
	if _, _, err := m.Sums(t.Context(), s, start, spec.SLOWindow, 2); err == nil {
		t.Error("days were cut at a place of our own")
	}
	if _, _, err := m.Sums(t.Context(), spec.Series{Metric: spec.BatchSize, Stat: spec.P99}.In(spec.Persist), start, time.Hour, 1); err == nil {
		t.Error("percentiles were added up")
	}
}
