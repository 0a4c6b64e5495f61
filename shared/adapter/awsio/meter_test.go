package awsio

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// pages answers GetMetricData in as many pages as each series has values.
type pages struct {
	values map[string][]float64 // by stage and statistic
	asked  []*cloudwatch.GetMetricDataInput
}

func (p *pages) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	copied := *in
	p.asked = append(p.asked, &copied)
	page := len(aws.ToString(in.NextToken))
	out := &cloudwatch.GetMetricDataOutput{}
	for _, q := range in.MetricDataQueries {
		stage := ""
		for _, d := range q.MetricStat.Metric.Dimensions {
			if *d.Name == spec.DimensionStage {
				stage = *d.Value
			}
		}
		values := p.values[stage+" "+*q.MetricStat.Stat]
		if page < len(values) {
			out.MetricDataResults = append(out.MetricDataResults, types.MetricDataResult{Id: q.Id, Values: values[page : page+1]})
		}
		if page+1 < len(values) {
			out.NextToken = aws.String("xxxxxxxxxx"[:page+1])
		}
	}
	return out, nil
}

func TestMeterReadsAllPages(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := &pages{values: map[string][]float64{"ingest Sum": {1, 2, 3}, "process Sum": {10, 20}, "persist Sum": {100}}}
	m := &Meter{Client: p, Env: "dev", Now: func() time.Time { return now }}
	if v, err := m.Sum(t.Context(), spec.EventThroughput, "", now.Add(-time.Minute)); err != nil || v != 136 {
		t.Errorf("sum %v, %v", v, err)
	}
	if len(p.asked) != 3 || !p.asked[0].StartTime.Equal(time.Date(2026, 1, 2, 3, 3, 0, 0, time.UTC)) || *p.asked[0].MetricDataQueries[0].MetricStat.Period != 60 {
		t.Errorf("%d requests, the first %+v", len(p.asked), p.asked[0])
	}
	p.asked = nil
	if v, err := m.Sum(t.Context(), spec.EventThroughput, spec.Ingest, time.Time{}); err != nil || v != 6 {
		t.Errorf("sum of all time %v, %v", v, err)
	}
	if period := *p.asked[0].MetricDataQueries[0].MetricStat.Period; period != 24*60*60 || now.Sub(*p.asked[0].StartTime) < remembered {
		t.Errorf("all time is since %v in periods of %d s", p.asked[0].StartTime, period)
	}
}

// The stage with the most values speaks for all; the newest period counts.
func TestMeterPercentiles(t *testing.T) {
	p := &pages{values: map[string][]float64{
		"process SampleCount": {5, 900}, "process p50": {1, 9}, "process p99.9": {2, 9},
		"persist SampleCount": {7, 800}, "persist p50": {10, 9}, "persist p99.9": {20, 9},
	}}
	m := &Meter{Client: p, Env: "dev", Now: time.Now}
	v, n, err := m.Percentiles(t.Context(), spec.EventLatency, time.Now().Add(-time.Minute), 50, 99.9)
	if err != nil || n != 7 || len(v) != 2 || v[0] != 10 || v[1] != 20 {
		t.Errorf("%v of %d, %v", v, n, err)
	}
	p.values = nil
	if v, n, err := m.Percentiles(t.Context(), spec.EventLatency, time.Now(), 50); err != nil || n != 0 || v != nil {
		t.Errorf("without values: %v of %d, %v", v, n, err)
	}
}

// failing refuses every request.
type failing struct{}

func (failing) GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	return nil, errors.New("refused")
}

func TestMeterErrors(t *testing.T) {
	m := &Meter{Client: failing{}, Env: "dev", Now: time.Now}
	_, sum := m.Sum(t.Context(), spec.EventsStored, "", time.Time{})
	_, _, percentiles := m.Percentiles(t.Context(), spec.EventLatency, time.Time{}, 50)
	_, _, newest := m.Newest(t.Context(), spec.ConsumerLag, spec.Ingest)
	_, ages := m.Ages(t.Context(), "q")
	for i, err := range []error{sum, percentiles, newest, ages} {
		if err == nil || err.Error() != "read metrics: refused" {
			t.Errorf("%d: %v", i, err)
		}
	}
}
